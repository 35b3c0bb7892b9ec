"""The drop-box: an HTTP listener in quarantine that takes what a host's check-in script posts, and nothing else.

Never serves anything, never reads a body before the claim it comes with fits a host as it stands, and never keeps one
without the proof of its token. Answers are one plain sentence, for the person at that host.
"""

from __future__ import annotations

import hmac
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar

from orchestrator.clock import SystemClock
from orchestrator.errors import Refused, RelanceError, UsageError
from orchestrator.workers.checkin import BODY_BYTES_MAX, CLAIM_CHARS_MAX, Arrivals, Claim, Standing, is_digest, proof_of

PATH = "/checkin"
AT_ONCE_MAX = 4
REFUSED_PER_MINUTE_MAX = 60
QUIET_S = 30.0
WHOLE_S = 600.0
DRAIN_S = 5.0
CHUNK = 1 << 16
MINUTE_US = 60_000_000


class DropBox:
    """What a post is judged by. `stands` tells how a host stands now; None for one that is in no estate."""

    def __init__(
        self, incident: str, secret: bytes, arrivals: Arrivals, stands: Callable[[str], Standing | None]
    ) -> None:
        self._incident = incident
        self._secret = secret
        self._arrivals = arrivals
        self._stands = stands
        self._clock = SystemClock()
        self._lock = threading.Lock()
        self._minute, self._refused = 0, 0

    def bounded(self) -> bool:
        """Whether there is room for one more post in this minute: only refusals count."""
        with self._lock:
            minute = self._clock.elapsed_us() // MINUTE_US
            if minute != self._minute:
                self._minute, self._refused = minute, 0
            return self._refused < REFUSED_PER_MINUTE_MAX

    def refused(self) -> None:
        """Counts one."""
        with self._lock:
            self._refused += 1

    def claim(self, text: str) -> Claim:
        """The claim of a post, if its host stands as it says. Raises Refused with a sentence for who posts."""
        claim = Claim.from_text(text)
        told, host = claim.standing, claim.standing.host
        now = self._stands(host) if claim.incident == self._incident else None
        if now is None:
            raise Refused("This check-in belongs to another incident or estate.", rule="checkin.incident")
        if told.serial != now.serial:
            raise Refused(
                f"Another machine stands for {host} now (serial {now.serial or 'not known'}); make a new script.",
                rule="checkin.serial",
            )
        if told.restores != now.restores:
            raise Refused(
                f"{host} was restored anew (attempt {now.restores}; this script is for {told.restores}); make a new "
                "script.",
                rule="checkin.attempt",
            )
        if told.isolated_us != now.isolated_us:
            raise Refused(f"{host} was cut off anew since this script was made; make a new one.", rule="checkin.moved")
        if claim.until_us <= self._clock.now_us():
            raise Refused(f"The script for {host} has expired; make a new one.", rule="checkin.expired")
        return claim

    def arriving(self) -> Path:
        """Where a body is written while it arrives."""
        return self._arrivals.new_file()

    def take(self, claim: Claim, proof: str, body: Path, digest: str) -> str:
        """Keeps a body whose proof is right; the sentence for who posted. Raises Refused."""
        token = claim.token(self._secret)
        if not hmac.compare_digest(proof.encode(), proof_of(token, digest).encode()):
            raise Refused("The token is not that of this claim, or what came was altered.", rule="checkin.token")
        _same_machine(claim, body)
        self._arrivals.put(claim, token, body)
        return (
            f"Taken: {claim.standing.host} is inspected by it at its next turn, at the latest in a quarter of an hour."
        )


def _same_machine(claim: Claim, body: Path) -> None:
    """The serial the machine tells, where the inventory has one."""
    wanted = claim.standing.serial
    if not wanted:
        return
    with body.open("rb") as file:
        _, _, rest = file.read(CHUNK).partition(f"{claim.mark} serial\n".encode())
    told = rest.partition(b"\n")[0].decode("utf-8", "replace").strip()
    if told != wanted:
        raise Refused(
            f"This machine tells the serial {told[:64] or '(none)'}; {claim.standing.host} is {wanted}.",
            rule="checkin.machine",
        )


class _Handler(BaseHTTPRequestHandler):
    box: ClassVar[DropBox]
    timeout = QUIET_S
    server_version, sys_version = "relance", ""

    def setup(self) -> None:
        """However slowly somebody speaks, a connection ends."""
        super().setup()
        self._end = threading.Timer(WHOLE_S, self._cut)
        self._end.daemon = True
        self._end.start()

    def _cut(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        """The connection ended by itself."""
        self._end.cancel()
        super().finish()

    def do_POST(self) -> None:
        """One check-in."""
        self.close_connection = True
        if not self.box.bounded():
            self._answer(429, "Too many posts were refused; try again in a minute.")
            return
        try:
            self._answer(200, self._taken())
        except Refused as error:
            self.box.refused()
            self._answer(403, error.sentence)
        except RelanceError as error:
            self._answer(503, error.sentence)

    def _taken(self) -> str:
        size, claim, proof = (self.headers.get(name, "") for name in ("Content-Length", "X-Claim", "X-Proof"))
        if self.path != PATH or not size.isdecimal() or len(size) > 12 or not is_digest(proof):
            raise Refused("Nothing but check-ins is taken here.", rule="checkin.form")
        if int(size) > BODY_BYTES_MAX or len(claim) > CLAIM_CHARS_MAX:
            raise Refused(f"A check-in has at most {BODY_BYTES_MAX} bytes.", rule="checkin.size")
        claimed = self.box.claim(claim)
        body = self.box.arriving()
        try:
            return self.box.take(claimed, proof, body, self._written(body, int(size)))
        finally:
            body.unlink(missing_ok=True)

    def _written(self, body: Path, size: int) -> str:
        """The SHA-256 of the body, which is on disk then."""
        digest = sha256()
        with body.open("xb") as file:
            body.chmod(0o600)
            while size:
                chunk = self.rfile.read(min(size, CHUNK))
                if not chunk:
                    raise Refused("What was posted did not arrive whole.", rule="checkin.whole")
                file.write(chunk)
                digest.update(chunk)
                size -= len(chunk)
        return digest.hexdigest()

    def _answer(self, status: int, sentence: str) -> None:
        with suppress(OSError):  # whoever asked went away
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(f"{sentence}\n".encode())
            self.connection.shutdown(socket.SHUT_WR)
            self._drain()

    def _drain(self) -> None:
        """Throws away what still comes, for a moment: else the answer is lost with the connection."""
        clock = SystemClock()
        until_us = clock.elapsed_us() + int(DRAIN_S * 1e6)
        self.connection.settimeout(DRAIN_S)
        while clock.elapsed_us() < until_us and self.connection.recv(CHUNK):
            pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Any other method or a malformed request."""
        self.close_connection = True
        self.box.refused()
        self._answer(code, "Nothing but check-ins is taken here.")

    def log_message(self, format: str, *args: object) -> None:
        """The journal tells what was taken; a stranger's noise is not kept."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self._room = threading.BoundedSemaphore(AT_ONCE_MAX)
        super().__init__(address, handler)

    def process_request(self, request: object, client_address: object) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke is nobody's fault here."""


def address_of(text: str) -> tuple[str, int]:
    """`ADDRESS:PORT` that hosts can dial. Raises UsageError for any other."""
    address, _, port = text.rpartition(":")
    try:
        everywhere = ip_address(address).is_unspecified
    except ValueError:
        everywhere = True
    if everywhere or not port.isdecimal() or int(port) > 65535:
        raise UsageError(
            f"{text} is no ADDRESS:PORT of this machine that hosts in quarantine can dial, as 10.1.0.5:8400.",
            rule="run.dropbox",
        )
    return address, int(port)


@contextmanager
def listening(address: tuple[str, int], box: DropBox) -> Iterator[str]:
    """Takes posts until the block ends; the URL they go to. Raises UsageError where the port cannot be had."""
    try:
        server = _Server(address, type("Handler", (_Handler,), {"box": box}))
    except OSError as error:
        raise UsageError(
            f"The drop-box cannot listen at {address[0]}:{address[1]}: {error}.", rule="run.dropbox"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="dropbox", daemon=True)
    thread.start()
    try:
        yield f"http://{address[0]}:{server.server_address[1]}{PATH}"
    finally:
        server.shutdown()
        server.server_close()
