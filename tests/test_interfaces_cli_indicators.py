"""An indicator set comes in, its cost is shown, and two people put it in force; until then nothing changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.evidence import manifest
from orchestrator.evidence.document import Evidence
from orchestrator.interfaces.rematching import evidence_of
from tests.command_line import Terminal, terminal
from tests.test_evidence_manifest import line

BAD = line(b"opt/implant", b"bad")
CSV = f"kind,value,note\nsha256,{BAD[:64].decode()},dropper\nname,nothing-of-ours,\n"


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A hospital whose inspections keep evidence; on `ad-1` lies a file that is not yet known to be bad."""
    (tmp_path / "state").mkdir(mode=0o700)
    blobs = evidence_of(tmp_path / "state")

    def inspected(action: str) -> str:
        host = action.partition("/")[0]
        files = {line(b"etc/passwd")} | ({BAD} if host == "ad-1" else set())
        own = blobs.put(manifest.to_bytes(files))
        return blobs.put(Evidence(action, host, klass="server", files=len(files), manifest=own).to_bytes())

    monkeypatch.setattr("tests.live_hospital.evidence_of", inspected)
    with terminal(tmp_path, capsys) as found:
        yield found


def imported(desk: Terminal, tmp_path: Path, name: str, text: str, *words: str) -> str:
    (tmp_path / name).write_text(text)
    said = desk.types.json("indicators", "import", str(tmp_path / name), *words)
    assert said.code == 0, said.err
    return str(said.document["digest"])


def in_force(desk: Terminal) -> str:
    found: str = desk.here.engine.read(lambda state, now_us: state.indicator_set)
    return found


def test_importing_changes_nothing_and_says_what_was_taken(desk: Terminal, tmp_path: Path) -> None:
    before, records = in_force(desk), desk.here.engine.head().size
    digest = imported(desk, tmp_path, "cert.csv", CSV)
    assert (in_force(desk), desk.here.engine.head().size) == (before, records)
    assert imported(desk, tmp_path, "again.csv", CSV.replace("again", "")) != "", digest


def test_the_cost_names_hosts_hit_verdicts_and_hours_before_anybody_signs(desk: Terminal, tmp_path: Path) -> None:
    desk.here.order("freeze", "all", "operator-1")  # nobody goes out and is inspected anew
    desk.here.quarantined("foundations")
    hosts = desk.here.seats()
    for who in ("analyst-1", "analyst-2"):
        for host in hosts:
            desk.here.judge("CLEAN", who, host)
    digest = imported(desk, tmp_path, "cert.csv", CSV)
    said = desk.types.json("indicators", "cost", digest)
    assert said.code == 1, said.err
    found = said.document
    assert list(found["hits"]) == ["ad-1"]
    assert "opt/implant" in found["hits"]["ad-1"]["found"][0]
    assert found["verdicts_to_give_again"] == 2
    assert found["verdicts_that_stand"] == 2 * len(hosts) - 2
    assert found["analyst_minutes"] > 0
    signed = desk.signs("analyst-1", "indicators", "force", digest)
    assert signed.code == 4
    assert signed.err.index("Hit: 1 hosts") < signed.err.index("You sign an ORDER")
    assert "hosts_hit: 1" in signed.err
    second = desk.signs("analyst-2", "order", "sign", signed.document["error"]["facts"]["order"])
    assert second.code == 0, second.err
    assert "hosts_hit: 1" in second.err, "the second person reads the cost too"
    assert in_force(desk) == digest


def test_a_set_nobody_imported_is_not_put_in_force(desk: Terminal) -> None:
    said = desk.signs("analyst-1", "order", "make", "indicators.force", "a" * 64)
    assert (said.code, said.document["error"]["rule"]) == (3, "indicators.unknown")
    said = desk.signs("analyst-1", "indicators", "force", "a" * 64)
    assert (said.code, said.document["error"]["rule"]) == (3, "indicators.unknown")


def test_a_set_without_hits_costs_no_hours(desk: Terminal, tmp_path: Path) -> None:
    desk.here.quarantined("foundations")
    desk.here.judge_everyone()
    digest = imported(desk, tmp_path, "cert.csv", "kind,value\nname,nothing-of-ours\n")
    said = desk.types("indicators", "cost", digest)
    assert said.code == 0
    assert "Hit: 0 hosts" in said.out
    assert "and 0 are given again: 0 h 00 of" in said.out


def test_rules_on_hosts_of_which_no_file_was_fetched_are_not_called_matched(desk: Terminal, tmp_path: Path) -> None:
    desk.here.quarantined("foundations")
    digest = imported(desk, tmp_path, "cert.yar", "rule r { condition: true }")
    found = desk.types.json("indicators", "cost", digest).document
    assert found["hosts_matched"] == 0
    assert "no file was fetched" in found["not_matched"]["ad-1"]
    assert "not matched" in desk.types("indicators", "cost", digest).out


def test_what_no_inspection_collects_is_refused_and_nothing_is_kept_unless_left_out_on_purpose(
    desk: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "cert.csv").write_text(CSV + "md5,abc,\n")
    said = desk.types.json("indicators", "import", str(tmp_path / "cert.csv"))
    assert (said.code, said.document["error"]["rule"]) == (3, "indicators.uncollected")
    assert "cert.csv line 4" in said.document["error"]["facts"]["uncollected"][0]
    taken = desk.types.json("indicators", "import", str(tmp_path / "cert.csv"), "--leave-out")
    assert (taken.code, len(taken.document["left_out"])) == (0, 1)


def test_a_folder_of_bundles_lists_and_rules_is_one_set(desk: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "cleanliness"
    folder.mkdir()
    pattern = {"type": "indicator", "id": "indicator--1", "pattern_type": "stix", "pattern": "[file:name = 'x']"}
    (folder / "a.json").write_text(json.dumps({"type": "bundle", "objects": [pattern]}))
    (folder / "b.csv").write_text(CSV)
    (folder / "c.yar").write_text("rule r { condition: false }")
    (folder / "README.md").write_text("what this is")
    said = desk.types("indicators", "import", str(folder))
    assert said.code == 0, said.err
    assert "1 sha256, 2 name, 1 YARA files" in said.out
    assert "not in force" in said.out


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("cert.txt", "x", "indicators.format"),
        ("cert.csv", "kind,value\n", "indicators.empty"),
        ("cert.csv", "name,x\n", "indicators.csv"),
        ("cert.json", "{}", "indicators.stix"),
        ("cert.yar", "rule {", "indicators.yara"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    desk: Terminal, tmp_path: Path, name: str, text: str, rule: str
) -> None:
    (tmp_path / name).write_text(text)
    said = desk.types.json("indicators", "import", str(tmp_path / name))
    assert (said.code, said.document["error"]["rule"]) == (3, rule)


def test_a_file_that_is_missing_too_large_or_no_text_is_refused(
    desk: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.types("indicators", "import", str(tmp_path / "none.csv")).code == 2
    (tmp_path / "cert.csv").write_bytes(b"kind,value\nname,\xff\n")
    assert desk.types.json("indicators", "import", str(tmp_path / "cert.csv")).document["error"]["rule"] == (
        "indicators.format"
    )
    (tmp_path / "a").mkdir()
    for folder in (tmp_path, tmp_path / "a"):
        (folder / "r.yar").write_text("rule r { condition: true }")
    twice = desk.types.json("indicators", "import", str(tmp_path / "r.yar"), str(tmp_path / "a"))
    assert "rename one" in twice.document["error"]["sentence"]
    monkeypatch.setattr("orchestrator.interfaces.cli_indicators.FILE_BYTES_MAX", 3)
    said = desk.types.json("indicators", "import", str(tmp_path / "r.yar"))
    assert said.document["error"]["rule"] == "indicators.size"
