"""An analyst says what was seen, reads what it means, signs it, and files it here or from another machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.evidence.document import Evidence
from orchestrator.interfaces.documents import Request, SignedRequest
from orchestrator.trust.signature import verify
from orchestrator.trust.statement import VERDICT_NAMESPACE, Statement, in_words
from tests.command_line import Keyboard, Said, Terminal, terminal
from tests.estates import person
from tests.live_hospital import document_of

LOOKED = (
    "--method",
    "hunt with the set in force",
    "--tool",
    "hunt 1.0",
    "--examined",
    "accounts",
    "--examined",
    "jobs",
)


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with terminal(tmp_path, capsys) as found:
        found.here.quarantined("foundations")
        yield found


def test_two_analysts_find_a_host_clean_and_it_goes_out(here: Terminal) -> None:
    first = here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED)
    assert first.document["kind"] == "verdict.clean"
    assert "You sign a VERDICT as analyst-1: CLEAN" in first.err
    assert "It means: No reason was found to keep the hosts named out" in first.err
    assert here.signs("analyst-2", "verdict", "sign", "CLEAN", "backup-1", *LOOKED).code == 0
    assert "backup-1" not in here.here.seats()


def test_one_person_is_never_two(here: Terminal) -> None:
    here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED)
    again = here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED)
    assert (again.code, again.document["error"]["rule"]) == (3, "verdict.two-persons")


def test_doubt_about_several_hosts_is_signed_at_once_and_what_was_not_examined_is_said(here: Terminal) -> None:
    said = here.signs("analyst-1", "verdict", "sign", "SUSPECT", "ad-2", "ad-1", *LOOKED, "--not-examined", "firmware")
    assert said.document["subject"] == "ad-1, ad-2"
    assert "Not examined: firmware; memory." in said.err


def test_what_an_inspection_did_not_examine_stands_in_the_verdict_whatever_the_analyst_says(here: Terminal) -> None:
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED, "--not-examined", "memory")
    assert "Not examined: memory." in said.err


def test_complaints_of_commands_stand_in_the_verdict_in_characters_that_can_be_signed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints = ("ls: \x1b[2J\x85", "e\u0301", *(f"line {number}" for number in range(300)))
    evidence = Evidence("ad-1/inspect/1", "ad-1", not_examined=complaints)
    monkeypatch.setattr("tests.live_hospital.document_of", lambda action: evidence.to_bytes())
    with terminal(tmp_path, capsys) as here:
        here.here.quarantined("foundations")
        said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "ad-1", *LOOKED)
    assert said.code == 0
    assert "Not examined: ls: \\x1b[2J\\x85; \u00e9; line 0; " in said.err
    assert "line 196; 103 more, which the evidence named here lists." in said.err


def test_nobody_signs_clean_over_evidence_that_cannot_be_read_and_anybody_may_find_it_infected(here: Terminal) -> None:
    for one in (here.here.engine.state_dir / "evidence").glob("*"):
        if one.read_bytes() == document_of("ad-1/inspect/1"):
            one.unlink()
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "ad-1", *LOOKED)
    assert said.code == 7
    assert "is missing; take it from a backup" in said.document["error"]["sentence"]
    said = here.signs("analyst-1", "verdict", "sign", "INFECTED", "ad-1", "--method", "the marker is there")
    assert said.code == 0
    assert "what ad-1/inspect/1 did not examine: its evidence cannot be read" in said.err


def test_clean_without_anything_examined_is_not_signed(here: Terminal) -> None:
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "ad-1", "--method", "a feeling")
    assert (said.code, said.document["error"]["rule"]) == (3, "statement.examined")
    assert "You sign" not in said.err


def test_infected_by_one_is_enough(here: Terminal) -> None:
    assert here.signs("analyst-1", "verdict", "sign", "INFECTED", "ad-1", "--method", "the marker is there").code == 0
    here.here.settle()
    assert "ad-1" not in here.here.seats()


def test_a_host_without_an_inspection_has_nothing_to_judge(here: Terminal) -> None:
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "lab-ws-1", *LOOKED)
    assert (said.code, said.document["error"]["rule"]) == (3, "verdict.inspection")


def carried_out(here: Terminal, stick: Path, verdict: str, *hosts: str, who: str = "analyst-1") -> Path:
    """A request for this person, on the stick."""
    stick.mkdir(exist_ok=True)
    said = here.types.json("verdict", "sign", verdict, *hosts, *LOOKED, "--offline", str(stick), "--person", who)
    request = Path(said.document["request"])
    TypeAdapter(Request).validate_python(said.document, strict=True)
    assert sha256(request.read_bytes()).hexdigest() == said.document["sha256"]
    return request


def seats_open(here: Terminal, host: str) -> int:
    """How many seats the queue shows open at a host."""
    return sum(one["seats_open"] for one in here.types.json("queue").document["hosts"] if one["host"] == host)


def signed_elsewhere(
    request: Path, capsys: pytest.CaptureFixture[str], key: Path, *, what: str = "verdict", state: str = "/nowhere"
) -> Said:
    """What another machine says, which has no state and no live process."""
    return Keyboard(capsys, "--state", state).json(what, "sign-request", str(request), "--key", str(key))


def test_a_verdict_is_carried_out_signed_on_another_machine_and_filed(
    here: Terminal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = carried_out(here, tmp_path / "stick", "CLEAN", "backup-1")
    assert seats_open(here, "backup-1") == 2, "nothing was filed yet"
    said = signed_elsewhere(request, capsys, here.here.key_file("analyst-1"))
    TypeAdapter(SignedRequest).validate_python(said.document, strict=True)
    assert said.document["sha256"] in said.err, "both machines show the same checksum"
    assert in_words(Statement.from_bytes(request.read_bytes())) in said.err
    verify(
        Path(said.document["signature"]).read_text(),
        VERDICT_NAMESPACE,
        request.read_bytes(),
        person("analyst-1", "analyst").key,
    )
    assert here.types.json("verdict", "file", str(request)).document["subject"] == "backup-1"
    assert seats_open(here, "backup-1") == 1


def test_a_request_signed_with_ssh_keygen_alone_is_filed_too(here: Terminal, tmp_path: Path) -> None:
    request = carried_out(here, tmp_path / "stick", "CLEAN", "backup-1")
    key = str(here.here.key_file("analyst-1"))
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", VERDICT_NAMESPACE, "-f", key, str(request)], check=True)
    assert here.types("verdict", "file", str(request)).code == 0


@pytest.mark.parametrize(
    ("found", "put", "shown"),
    [
        (b'"verdict":"CLEAN"', b'"verdict":"INFECTED"', "statement.means"),
        (b'"backup-1', b'"backup-9', "backup-9"),
        (b'"not_examined":["memory"]', b'"not_examined":["money"]', "Not examined: money."),
        (b'"method":"hunt', b'"method":"haunt', "method: haunt"),
        (b'{"_type"', b'{ "_type"', "statement.form"),
    ],
)
def test_a_request_altered_on_the_stick_is_seen_by_its_signer(
    here: Terminal, tmp_path: Path, capsys: pytest.CaptureFixture[str], found: bytes, put: bytes, shown: str
) -> None:
    request = carried_out(here, tmp_path / "stick", "CLEAN", "backup-1")
    was = sha256(request.read_bytes()).hexdigest()
    request.write_bytes(request.read_bytes().replace(found, put))
    said = signed_elsewhere(request, capsys, here.here.key_file("analyst-1"))
    assert shown in said.err + said.out
    assert was not in said.err, "the checksum is not the one the other machine showed"


def test_a_request_altered_after_it_was_signed_is_refused(
    here: Terminal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = carried_out(here, tmp_path / "stick", "CLEAN", "backup-1")
    signed_elsewhere(request, capsys, here.here.key_file("analyst-1"))
    request.write_bytes(request.read_bytes().replace(b"hunt 1.0", b"hunt 2.0"))
    said = here.types.json("verdict", "file", str(request))
    assert (said.code, said.document["error"]["rule"]) == (3, "signature.mismatch")


def test_a_request_is_signed_once_and_never_overwritten(
    here: Terminal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = carried_out(here, tmp_path / "stick", "CLEAN", "backup-1")
    signed_elsewhere(request, capsys, here.here.key_file("analyst-1"))
    again = signed_elsewhere(request, capsys, here.here.key_file("analyst-1"))
    assert (again.code, again.document["error"]["rule"]) == (2, "usage.file")


def test_a_request_no_stick_takes_or_gives_is_a_sentence(here: Terminal, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    words = ("verdict", "sign", "CLEAN", "backup-1", *LOOKED, "--offline", nowhere, "--person", "analyst-1")
    said = here.types.json(*words)
    assert (said.code, said.document["error"]["rule"]) == (2, "usage.file")
    assert here.types("verdict", "file", nowhere).code == 2


def test_an_order_of_two_is_carried_to_each_and_back(
    here: Terminal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    words = ("host", "exclude", "ad-2", "--offline", str(stick), "--person", "operator-1")
    first = Path(here.types.json(*words).document["request"])
    assert signed_elsewhere(first, capsys, here.here.key_file("operator-1"), what="order").code == 0
    waits = here.types.json("order", "file", str(first), "--person", "operator-1")
    assert waits.code == 4
    order = waits.document["error"]["facts"]["order"]
    words = ("order", "sign", order, "--offline", str(stick), "--person", "it-director")
    second = Path(here.types.json(*words).document["request"])
    assert second.read_bytes() == first.read_bytes(), "everyone signs the same bytes"
    assert "host.exclude" in signed_elsewhere(second, capsys, here.here.key_file("it-director"), what="order").err
    assert here.types.json("order", "file", str(second), "--person", "it-director").code == 0


def test_somebody_at_a_terminal_signs_only_after_saying_yes(here: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer, code in (("no\n", 3), ("", 3), ("yes\n", 0)):
        monkeypatch.setattr("sys.stdin", StringIO(answer))
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "backup-1", *LOOKED)
        assert said.code == code
        assert said.err.index("You sign a VERDICT") < said.err.index("Type yes to sign this:")


def test_where_two_disagree_the_host_is_inspected_anew_and_a_third_can_read_it(here: Terminal) -> None:
    here.here.order("freeze", "all", "operator-1")
    here.signs("analyst-1", "claim", "ad-1")
    here.signs("analyst-1", "verdict", "sign", "CLEAN", "ad-1", *LOOKED)
    assert here.signs("analyst-2", "verdict", "sign", "SUSPECT", "ad-1", *LOOKED).code == 0
    here.here.settle()
    assert seats_open(here, "ad-1") == 2, "what the first said of the earlier inspection fills no seat"
    assert here.types.json("why", "ad-1").document["inspection"] == "ad-1/inspect/2"
    for who in ("analyst-3", "analyst-1"):
        assert here.signs(who, "verdict", "sign", "CLEAN", "ad-1", *LOOKED).code == 0
    assert seats_open(here, "ad-1") == 0


def test_a_claim_keeps_a_seat_from_others_and_its_holder_fills_it(here: Terminal) -> None:
    here.here.order("freeze", "all", "operator-1")
    for who in ("analyst-1", "analyst-2"):
        assert here.signs(who, "claim", "ad-1").code == 0
    assert here.signs("analyst-3", "claim", "ad-1").code == 3
    assert here.signs("analyst-1", "verdict", "sign", "CLEAN", "ad-1", *LOOKED).code == 0
    assert seats_open(here, "ad-1") == 0
