"""A practice host's disk: a folder with a few real files, its backup, its evidence archive, and its SSH host key.

Never decides when something is wiped or written; `fleet_host` and `ransomware` do.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import shutil
import tarfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from orchestrator.practice.fleet_file import FleetHost, write_whole

SERVICE = "run/service"
RECORDS = "data/records.csv"
HEADER = b"number,ward,value\n"
SERVICE_UP = b"up\n"
SERVICE_SILENT = b"silent\n"


def first_files(host: FleetHost, seed: int) -> dict[str, str]:
    """The files of a healthy host, the same for the same seed; workstations of a class are all made from one image."""
    server = host.kind == "server"
    made, address = (host.id, host.address) if server else (host.klass or host.kind, "0.0.0.0")  # noqa: S104 - a text
    chance = random.Random(f"{seed}/{made}/files")
    rows = (f"{n},ward-{chance.randrange(40)},{chance.randrange(10**6)}\n" for n in range(chance.randrange(20, 60)))
    sockets = "".join(f"tcp {address} {service}\n" for service in host.services)
    return {
        RECORDS: HEADER.decode() + "".join(rows),
        "data/letters.txt": f"Letters kept on {made}, {host.klass or host.kind}.\n" + "dear colleague\n" * 20,
        "etc/passwd": f"root:x:0:0::/root:/bin/sh\n{host.kind}:x:1000:1000::/:/bin/sh\n",
        "etc/crontab": f"0 {chance.randrange(24)} * * * backup {made}\n",
        "etc/sockets": f"tcp {address} ssh\n{sockets}",
    }


def fill(disk: Path, files: dict[str, str]) -> None:
    """Writes the files and starts the service; cut short it leaves a host that is down, and its log says so."""
    for name, text in files.items():
        path = disk / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    start_service(disk, SERVICE_UP)


def start_service(disk: Path, how: bytes) -> None:
    """Starts the host's service: up, or accepting and saying nothing."""
    (disk / SERVICE).parent.mkdir(parents=True, exist_ok=True)
    write_whole(disk / SERVICE, how)


def wipe(disk: Path) -> None:
    """Leaves an empty disk."""
    if disk.exists():
        shutil.rmtree(disk)
    disk.mkdir(parents=True)


def service_state(disk: Path) -> str:
    """`up` when the service runs and its records can be read, `silent` when it only accepts, else `down`."""
    try:
        how = (disk / SERVICE).read_bytes()
        with (disk / RECORDS).open("rb") as records:
            readable = records.read(len(HEADER)) == HEADER
    except OSError:
        return "down"
    if how == SERVICE_SILENT:
        return "silent"
    return "up" if how == SERVICE_UP and readable else "down"


def archive(disk: Path) -> bytes:
    """Everything on the disk as one tar file; the same bytes for the same content."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(path for path in disk.rglob("*") if path.is_file()):
            content = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(disk).as_posix())
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def digest_of(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def save_backup(path: Path, files: dict[str, str]) -> None:
    """Keeps the files where ransomware does not reach."""
    write_whole(path, _packed(files), 0o600)


def image_digest(host: FleetHost, seed: int) -> str:
    """The digest of what a restore of this host writes, before any fault: of a workstation, of its class's image."""
    return digest_of(_packed(first_files(host, seed)))


def _packed(files: dict[str, str]) -> bytes:
    return json.dumps(files, sort_keys=True).encode()


def load_backup(path: Path) -> tuple[dict[str, str], str]:
    """The files of a backup and the backup's digest."""
    content = path.read_bytes()
    return json.loads(content), digest_of(content)


def new_key(path: Path) -> str:
    """Puts a new ed25519 host key at `path` and returns its public line."""
    key = Ed25519PrivateKey.generate()
    write_whole(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), 0o600)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def public_line(path: Path) -> str:
    """The public line of the host key at `path`, read without opening the private half.

    In an unencrypted OpenSSH key file the public blob follows 39 fixed bytes (magic, two times `none`, no options,
    one key) as a 4-byte length and that many bytes.
    """
    text = "".join(path.read_text().splitlines()[1:-1])
    content = base64.b64decode(text)
    size = int.from_bytes(content[39:43], "big")
    return f"ssh-ed25519 {base64.b64encode(content[43 : 43 + size]).decode()}"
