"""The drop-box takes one true check-in of a host, answers everyone else in a sentence, and serves nothing."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orchestrator.clock import SystemClock
from orchestrator.errors import UsageError
from orchestrator.workers import dropbox
from orchestrator.workers.checkin import Arrivals, Claim, Standing, new_claim, proof_of
from orchestrator.workers.dropbox import DropBox, address_of, listening
from tests.managed_hosts import free_port

SECRET = b"s" * 32
HOUR_US = 3_600_000_000
NOW = SystemClock()
STANDS = Standing("pc-1", 2, 7, "")


@dataclass
class Post:
    """Somebody who posts to a drop-box."""

    url: str
    stands: dict[str, Standing]
    arrivals: Arrivals

    def __call__(
        self, claim: Claim, body: bytes = b"seen", *, proof: str = "", text: str = "", size: str = ""
    ) -> tuple[int, str]:
        proof = proof or proof_of(claim.token(SECRET), sha256(body).hexdigest())
        headers = {"X-Claim": text or claim.text(), "X-Proof": proof, "Content-Length": size or str(len(body))}
        return self.ask("POST", dropbox.PATH, body, headers)

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    stands, arrivals = {"pc-1": STANDS}, Arrivals(tmp_path / "checkins")
    with listening(("127.0.0.1", 0), DropBox("incident", SECRET, arrivals, stands.get)) as url:
        yield Post(url, stands, arrivals)


def claim(**changes: object) -> Claim:
    made = new_claim("incident", STANDS, NOW.now_us() + HOUR_US)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_true_check_in_is_taken_once(post: Post) -> None:
    mine = claim()
    status, said = post(mine)
    assert (status, said[:12]) == (200, "Taken: pc-1 ")
    found = post.arrivals.take("pc-1", STANDS.digest())
    assert found is not None
    assert found.body == b"seen"
    assert found.token == sha256(mine.token(SECRET).encode()).hexdigest()
    assert post(mine) == (403, "This check-in came already; make a new script for another.")
    assert post.arrivals.take("pc-1", STANDS.digest()) is None


def test_a_host_whose_attempt_serial_or_isolation_moved_on_is_told_so(post: Post) -> None:
    mine = claim()
    for now, said in (
        (replace(STANDS, restores=3), "pc-1 was restored anew (attempt 3; this script is for 2); make a new script."),
        (replace(STANDS, serial="WS2"), "Another machine stands for pc-1 now (serial WS2); make a new script."),
        (replace(STANDS, isolated_us=8), "pc-1 was cut off anew since this script was made; make a new one."),
    ):
        post.stands["pc-1"] = now
        assert post(mine) == (403, said)
    post.stands.clear()
    assert post(mine) == (403, "This check-in belongs to another incident or estate.")
    post.stands["pc-1"] = STANDS
    assert post(mine)[0] == 200


def test_an_expired_script_and_one_of_another_incident_are_refused(post: Post) -> None:
    assert post(claim(until_us=1)) == (403, "The script for pc-1 has expired; make a new one.")
    assert post(claim(incident="other"))[1] == "This check-in belongs to another incident or estate."


def test_who_has_no_token_or_alters_what_is_under_way_is_refused_and_nothing_is_kept(
    post: Post, tmp_path: Path
) -> None:
    mine = claim()
    honest = proof_of(mine.token(SECRET), sha256(b"seen").hexdigest())
    assert "token" in post(mine, b"altered", proof=honest)[1]
    assert "token" in post(mine, proof=proof_of(mine.token(b"guess"), sha256(b"seen").hexdigest()))[1]
    longer = replace(mine, until_us=mine.until_us + 1)
    assert "token" in post(longer, proof=honest)[1], "a claim that was altered has another token"
    assert [*(tmp_path / "checkins").iterdir()] == []
    assert post(mine)[0] == 200


def test_a_machine_of_another_serial_is_refused(post: Post) -> None:
    stands = post.stands["pc-1"] = replace(STANDS, serial="WS1")
    mine = claim(standing=stands)
    body = f"{mine.mark} serial\nWS9\n".encode()
    assert post(mine, body) == (403, "This machine tells the serial WS9; pc-1 is WS1.")
    assert "(none)" in post(mine)[1]
    assert post(mine, body.replace(b"WS9", b"WS1"))[0] == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_is_served(post: Post, method: str) -> None:
    status, said = post.ask(method, "/")
    assert status == 501
    assert said in ("Nothing but check-ins is taken here.", "")


def test_what_is_no_check_in_is_refused_before_its_body_is_read(post: Post) -> None:
    mine, too_large = claim(), str(dropbox.BODY_BYTES_MAX + 1)
    assert post.ask("POST", "/other", b"x")[0] == 403
    assert post(mine, proof="short")[0] == 403
    assert post(mine, text="x")[0] == 403
    assert post(mine, text="x" * 3000)[0] == 403
    assert post(mine, size=too_large) == (403, f"A check-in has at most {dropbox.BODY_BYTES_MAX} bytes.")
    assert post(mine, size="-1")[0] == 403


def test_half_a_check_in_is_none(post: Post, tmp_path: Path) -> None:
    mine = claim()
    proof = proof_of(mine.token(SECRET), sha256(b"seen").hexdigest())
    where = urlsplit(post.url)
    with socket.create_connection((str(where.hostname), where.port or 0)) as line:
        head = (
            f"POST {dropbox.PATH} HTTP/1.1\r\nX-Claim: {mine.text()}\r\nX-Proof: {proof}\r\nContent-Length: 9\r\n\r\n"
        )
        line.sendall(head.encode() + b"seen")
        line.shutdown(socket.SHUT_WR)
        assert b"did not arrive whole" in b"".join(iter(lambda: line.recv(4096), b""))
    assert [*(tmp_path / "checkins").iterdir()] == []


def test_who_posts_too_much_that_is_refused_stops_being_heard(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropbox, "REFUSED_PER_MINUTE_MAX", 2)
    monkeypatch.setattr(dropbox, "MINUTE_US", 10**15)
    assert [post.ask("POST", "/")[0] for _ in range(3)] == [403, 403, 429]
    assert post(claim())[0] == 429


def test_more_connections_at_once_than_there_is_room_for_are_closed_and_room_comes_back(post: Post) -> None:
    where = urlsplit(post.url)
    address = (str(where.hostname), where.port or 0)
    silent = [socket.create_connection(address) for _ in range(dropbox.AT_ONCE_MAX)]
    with socket.create_connection(address) as one_more:
        assert one_more.recv(1) == b""
    for line in silent:
        line.close()
    for _ in range(200):
        try:
            status = post(claim())[0]
        except (http.client.HTTPException, ConnectionError):
            NOW.sleep_s(0.02)
            continue
        assert status == 200
        return
    raise AssertionError("no room came back")


def test_who_says_nothing_for_ever_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropbox, "WHOLE_S", 0.05)
    box = DropBox("incident", SECRET, Arrivals(tmp_path / "checkins"), lambda host: None)
    with listening(("127.0.0.1", 0), box) as url:
        where = urlsplit(url)
        with socket.create_connection((str(where.hostname), where.port or 0), timeout=20) as line:
            line.sendall(b"POST /checkin HTTP/1.1\r\nX-Claim: ")
            assert b"".join(iter(lambda: line.recv(4096), b"")).count(b"200") == 0


def test_a_full_disk_is_told_as_such_and_the_token_stays_good(post: Post, tmp_path: Path) -> None:
    (tmp_path / "checkins").touch()
    mine = claim()
    status, said = post(mine)
    assert (status, "cannot be used" in said) == (503, True)
    (tmp_path / "checkins").unlink()
    assert post(mine)[0] == 200


@pytest.mark.parametrize("text", ["", "8400", "10.0.0.1", "0.0.0.0:8400", ":8400", "name:8400", "10.0.0.1:70000"])
def test_an_address_that_hosts_cannot_dial_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="ADDRESS:PORT"):
        address_of(text)


def test_a_port_that_is_taken_is_told() -> None:
    port = free_port()
    assert address_of(f"127.0.0.1:{port}") == ("127.0.0.1", port)
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(UsageError, match="cannot listen"),
        listening(("127.0.0.1", port), DropBox("i", SECRET, Arrivals(Path("unused")), lambda host: None)),
    ):
        pass
