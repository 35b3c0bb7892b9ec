"""What other tools found comes in signed, under a digest, and is shown with where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.checks.indicators import Indicator, IndicatorSet
from orchestrator.evidence.document import Evidence
from orchestrator.interfaces import cli_findings
from orchestrator.interfaces.rematching import evidence_of
from orchestrator.journal.sqlite import Journal
from tests.command_line import Said, Terminal, terminal
from tests.test_evidence_reports import CLAM, ROW, SHA, lines

SECRET = "patient-4711"
MINE = CLAM.replace("lis-1", "ad-1").replace("/tmp/x:", f"/tmp/{SECRET}:")


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A hospital with an indicator set in force that knows the file a hunt will find; `lis-1` is not inspected."""
    (tmp_path / "state").mkdir(mode=0o700)
    blobs = evidence_of(tmp_path / "state")
    monkeypatch.setattr("tests.live_hospital.evidence_of", lambda action: blobs.put(seen_by(action)))
    with terminal(tmp_path, capsys) as found:
        wanted = IndicatorSet()
        wanted.add([Indicator("sha256", SHA, "CERT"), Indicator("name", "x.exe", "CERT")])
        digest = evidence_of(tmp_path / "state").put(wanted.to_bytes())
        found.here.order("indicators.force", digest, "analyst-1", "analyst-2")
        yield found


def seen_by(action: str) -> bytes:
    return Evidence(action, action.partition("/")[0]).to_bytes()


def take(desk: Terminal, host: str, content: bytes | str, *words: str, who: str = "analyst-1") -> Said:
    path = desk.here.engine.state_dir.parent / "report"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return desk.signs(who, "findings", "import", host, str(path), *(words or ("--taken", "offline")))


def refused(said: Said, rule: str, code: int = 3) -> None:
    assert (said.code, said.document["error"]["rule"]) == (code, rule), said.out


def test_a_report_is_shown_with_its_tool_its_file_who_imported_it_and_what_is_hit(desk: Terminal) -> None:
    content = lines({**ROW, "Fqdn": "AD-1.hospital.test"})
    said = take(desk, "ad-1", content, "--taken", "host")
    assert said.code == 0, said.out
    assert "ad-1: Velociraptor says 1 row in 1 files; indicators: 1 alert, 1 notice." in said.err
    told = desk.types("evidence", "ad-1").out
    assert "by analyst-1: Velociraptor JSON lines report" in told
    assert sha256(content).hexdigest() in told
    assert "taken by the host itself" in told
    assert f"alert indicator sha256 {SHA} at C:/x.exe (CERT)" in told
    assert "row line 1: Windows.System.Pslist" in told
    kept = desk.types.json("evidence", "ad-1").document["imported"][0]
    assert kept["document"]["source"]["sha256"] == kept["file"] == sha256(content).hexdigest()
    assert evidence_of(desk.here.engine.state_dir).get(kept["file"]) == content


def test_what_was_found_never_stands_in_the_journal(desk: Terminal) -> None:
    assert take(desk, "ad-1", MINE).code == 0
    assert SECRET in desk.types("evidence", "ad-1").out
    state_dir = desk.here.engine.state_dir
    journal = b"".join(path.read_bytes() for path in state_dir.glob("journal.sqlite*"))
    assert b"evidence.import" in journal
    assert SECRET.encode() not in journal


def test_imports_are_shown_below_the_inspection_and_looking_leaves_a_record(desk: Terminal) -> None:
    assert take(desk, "ad-1", MINE).code == 0
    told = desk.types("evidence", "ad-1").out
    assert told.index("ad-1, ad-1/inspect/1, taken") < told.index("Imported ")
    assert take(desk, "lis-1", MINE).code == 0
    assert "No inspection.\nImported " in desk.types("evidence", "lis-1").out
    assert [*desk.types.json("evidence", "lis-1").document] == ["host", "imported"]
    with Journal.open(desk.here.engine.state_dir / "journal.sqlite", read_only=True) as journal:
        assert len([*journal.records_of("evidence_read")]) == 4


def test_the_cost_of_a_set_counts_what_is_hit_in_imported_evidence(desk: Terminal) -> None:
    assert take(desk, "ad-1", lines({**ROW, "Fqdn": "ad-1"})).code == 0
    digest = desk.here.engine.read(lambda state, _: state.indicator_set)
    said = desk.types.json("indicators", "cost", digest)
    assert [*said.document["hits"]] == ["ad-1"]
    every = desk.here.engine.read(lambda state, _: len(state.stage))
    assert said.document["hosts_matched"] + said.document["hosts_not_matched"] == every


def test_one_file_may_tell_of_many_hosts_and_strangers_are_said(
    desk: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_findings, "ORDER_HOSTS_MAX", 1)
    content = lines(*({**ROW, "Fqdn": name} for name in ("ad-1", "ad-2", "stranger")))
    said = take(desk, "-", content)
    assert said.code == 0, said.out
    assert "Left out, no hosts of this estate (1): stranger." in said.err
    kept = desk.types.json("evidence", "ad-2").document
    assert len(kept["imported"]) == 1
    refused(take(desk, "-", lines({**ROW, "Fqdn": "stranger"})), "evidence.no-result")
    refused(take(desk, "-", MINE), "evidence.which-host")


def test_nothing_is_imported_twice(desk: Terminal) -> None:
    first = lines({**ROW, "Fqdn": "ad-1"}, {**ROW, "Fqdn": "ad-2"})
    assert take(desk, "ad-1", first).code == 0
    refused(take(desk, "ad-1", first), "evidence.twice")
    said = take(desk, "-", first)
    assert said.code == 0
    assert "ad-1: imported already." in said.err


def test_who_may_not_import_or_names_no_host_or_file_is_told(desk: Terminal) -> None:
    refused(take(desk, "ad-1", MINE, who="operator-1"), "orders.role")
    refused(take(desk, "nowhere-1", MINE), "usage.host", 2)
    refused(take(desk, "ad-1", "<xml/>"), "reports.format")
    words = ("findings", "import", "ad-1", str(desk.here.engine.state_dir / "none"), "--taken", "host")
    refused(desk.signs("analyst-1", *words), "usage.file", 2)


def test_findings_beyond_those_shown_are_counted(desk: Terminal) -> None:
    many = "".join(f"/mnt/ad-1/{number}: X FOUND\n" for number in range(60))
    assert take(desk, "ad-1", many).code == 0
    assert "10 more (--format json shows all)" in desk.types("evidence", "ad-1").out


def test_an_import_that_does_not_fit_into_the_store_is_refused_and_the_bound_is_shown(
    desk: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = desk.here.content.restart.inspection.evidence_bytes_max
    assert f" of {bound} bytes." in desk.types("evidence", "ad-1").out
    small = desk.here.content.restart.inspection.model_copy(update={"evidence_bytes_max": 1})
    content = desk.here.engine.read(lambda state, _: state.estate.content)
    monkeypatch.setitem(content.restart.__dict__, "inspection", small)
    refused(take(desk, "ad-1", MINE), "evidence.full")
    assert desk.types.json("evidence", "ad-1").document["imported"] == []
