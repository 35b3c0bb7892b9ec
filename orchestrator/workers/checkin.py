"""What a check-in is bound to, and the folder where what arrived waits for its host's next inspection.

Never takes a check-in twice, never one for a host that was restored, cut off anew or given another machine since, and
never keeps a token: it is made again from a secret and the claim, and only its digest leaves this machine.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import threading
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from orchestrator import canonical
from orchestrator.decision.state import STEP, State
from orchestrator.errors import Refused
from orchestrator.journal.disk import refused_by_disk, sync_folder

FOLDER = "checkins"
KEY_FILE = "checkin_key"
CLAIM_CHARS_MAX = 2_000
BODY_BYTES_MAX = 1 << 26
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a host is now: another restore, isolation or machine is another standing. `serial` is the inventory's."""

    host: str
    restores: int
    isolated_us: int
    serial: str

    def digest(self) -> str:
        """SHA-256 (hex) that a request carries."""
        return sha256(canonical.encode(asdict(self))).hexdigest()


def standing(state: State, host: int) -> Standing:
    """How a host stands in the core's eyes."""
    place = state.estate.content.inventory.hosts[host]
    return Standing(place.id, state.attempts[host][STEP["restore"]], state.isolated_us[host], place.serial)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a script says it may post: for whom, as the host stood then, until when; `nonce` makes each one its own.

    `mark` opens the sections of what is posted.
    """

    incident: str
    standing: Standing
    until_us: int
    nonce: str
    mark: str

    def text(self) -> str:
        """As the script carries it: one line of ASCII."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Claim:
        """Reads it back. Raises Refused for anything else."""
        try:
            fields = json.loads(text[: CLAIM_CHARS_MAX + 1])
            claim = cls(**{**fields, "standing": Standing(**fields["standing"])})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Refused("This is no claim of a check-in.", rule="checkin.claim") from error
        texts = (claim.incident, claim.nonce, claim.mark, claim.standing.host, claim.standing.serial)
        numbers = (claim.until_us, claim.standing.restores, claim.standing.isolated_us)
        typed = all(isinstance(one, str) for one in texts) and all(isinstance(one, int) for one in numbers)
        if not typed or claim.text() != text:
            raise Refused("This is no claim of a check-in.", rule="checkin.claim")
        return claim

    def token(self, secret: bytes) -> str:
        """The one-use token: HMAC-SHA256 (RFC 2104), hex."""
        return hmac.new(secret, self.text().encode("ascii"), "sha256").hexdigest()


def new_claim(incident: str, stands: Standing, until_us: int) -> Claim:
    """A claim nobody had before."""
    return Claim(incident, stands, until_us, secrets.token_hex(16), f"--{secrets.token_hex(8)}")


def proof_of(token: str, body_sha256: str) -> str:
    """What the script sends instead of its token, over texts of fixed length: who listens cannot use it again."""
    return sha256((token + body_sha256).encode("ascii")).hexdigest()


def secret_of(state_dir: Path) -> bytes:
    """The secret of this state folder, made at the first use. Raises Unusable where the disk refuses."""
    path = state_dir / "secrets" / KEY_FILE
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(fd)
        sync_folder(path.parent)
    except FileExistsError:
        pass
    except OSError as error:
        raise refused_by_disk(error, path) from error
    return path.read_bytes()


@dataclass(frozen=True, slots=True)
class Arrived:
    """A check-in that waits: whose token it was (digest), what it is bound to, its sections and their mark."""

    token: str
    standing: str
    mark: str
    body: bytes


class Arrivals:
    """The folder of check-ins: one waits per host, the newest; of every one that came the token's digest stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def new_file(self) -> Path:
        """Where a body may be written while it arrives."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise refused_by_disk(error, self._folder) from error
        return self._folder / f"arriving-{secrets.token_hex(8)}"

    def is_used(self, token: str) -> bool:
        """Whether a check-in with this token was taken."""
        return (self._folder / f"used-{sha256(token.encode()).hexdigest()}").exists()

    def put(self, claim: Claim, token: str, body: Path) -> None:
        """Takes a body that is on disk; on disk itself when this returns. Raises Refused where its token was used."""
        digest = sha256(token.encode()).hexdigest()
        told = {"token": digest, "standing": claim.standing.digest(), "mark": claim.mark}
        with self._lock:
            if self.is_used(token):
                raise Refused("This check-in came already; make a new script for another.", rule="checkin.used")
            try:
                with body.open("ab") as file:
                    file.write(b"\n" + json.dumps(told).encode())
                    file.flush()
                    os.fsync(file.fileno())
                body.rename(self._folder / f"host-{claim.standing.host}")
                (self._folder / f"used-{digest}").touch(0o600)
                sync_folder(self._folder)
            except OSError as error:
                raise refused_by_disk(error, body) from error

    def take(self, host: str, stands: str) -> Arrived | None:
        """What waits for this host as it stands, once; what came for another standing is dropped."""
        path = self._folder / f"host-{host}"
        with self._lock:
            try:
                content = path.read_bytes()
                path.unlink()
            except FileNotFoundError:
                return None
            except OSError as error:
                raise refused_by_disk(error, path) from error
        body, _, told = content.rpartition(b"\n")
        found = json.loads(told)
        return Arrived(**found, body=body) if found["standing"] == stands else None


def is_digest(text: str) -> bool:
    """Whether this is a SHA-256 in hex."""
    return _HEX.fullmatch(text) is not None
