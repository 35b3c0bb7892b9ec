"""That a tool ran is never evidence of a host; a result for that host is."""

from __future__ import annotations

from hashlib import sha256

import pytest

from orchestrator.errors import Refused
from orchestrator.evidence import importing, reports
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.importing import Source, evidence_of, known_hosts
from orchestrator.evidence.reports import read
from tests.test_evidence_reports import CLAM, LOKI, ROW, SHA, THOR, lines

CLEAN = CLAM.replace("/mnt/lis-1/tmp/x: Win.Test.EICAR_HDB-1 FOUND\n", "").replace(
    "Infected files: 1", "Infected files: 0"
)


def imported(content: bytes | str, host: str = "lis-1") -> Evidence:
    raw = content if isinstance(content, bytes) else content.encode()
    return evidence_of(read(raw, "report"), Source("report", raw, sha256(raw).hexdigest(), "offline"), host)


def refused(content: bytes | str, word: str, host: str = "lis-1") -> None:
    with pytest.raises(Refused) as caught:
        imported(content, host)
    assert word in caught.value.sentence


def test_imported_evidence_tells_its_tool_its_file_and_how_it_was_taken_and_comes_back_whole() -> None:
    seen = imported(LOKI)
    assert (seen.tool, seen.taken, seen.host, seen.source["format"]) == ("Loki", "offline", "lis-1", "text log")
    assert seen.source["sha256"] == sha256(LOKI.encode()).hexdigest()
    assert seen.differs.unknown == (f"{SHA}  srv/x.php".encode(),)
    assert [*seen.lists] == ["warning"]
    assert Evidence.from_bytes(seen.to_bytes()) == seen


def test_a_host_is_found_by_its_name_in_capitals_and_with_its_domain() -> None:
    assert imported(THOR).lists["alert"]
    assert imported(lines(ROW)).lists["row"]


def test_a_file_that_tells_of_other_hosts_alone_is_refused() -> None:
    rows = [{**ROW, "Fqdn": f"ws-{number}"} for number in range(9)]
    refused(lines(*rows), "has no result for lis-1; it tells of ws-0, ws-1, ws-2, ws-3, ws-4 and 4 more")
    refused(LOKI, "it tells of lis-1. That a tool ran", "ws-1")


def test_that_the_hunt_ran_on_the_host_is_no_evidence() -> None:
    refused(lines({"ClientId": "C.1", "Fqdn": "lis-1", "State": "FINISHED"}), "how many files were looked at")


def test_nothing_found_counts_where_the_file_names_the_host_and_counts_its_files() -> None:
    seen = imported(CLEAN)
    assert (seen.files, dict(seen.lists)) == (4750, {})
    refused(CLEAN, "does not say which host it is about", "ws-1")
    refused(CLEAN.replace("lis-1", "disk"), "does not say which host it is about")
    refused(CLEAN.replace("4750", "0").replace("/mnt/lis-1/etc/passwd: OK\n", ""), "how many files")
    quiet = LOKI.replace("Warning: MODULE: FileScan", "Info: MODULE: FileScan")
    refused(quiet, "shows nothing found on lis-1 and does not say how many files were looked at")


def test_a_find_in_a_log_that_names_no_host_counts_and_says_whose_word_it_is() -> None:
    seen = imported(CLAM, "ws-1")
    assert seen.not_examined[0] == "whose file it is: it names no host, the importer does"
    assert seen.not_examined[1] == "1 things the tool could not read"


def test_what_a_report_leaves_open_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "FINDINGS_MAX", 1)
    monkeypatch.setattr(importing, "FINDINGS_MAX", 1)
    monkeypatch.setattr(reports, "TEXT_CHARS_MAX", 5)
    said = imported(LOKI.rpartition("2026")[0] + LOKI.splitlines()[1]).not_examined
    assert said[0].startswith("what was left when it stopped")
    assert said[1].startswith("how many files were looked at")
    assert said[2].startswith("1 findings beyond the first")
    assert said[3].startswith("the rest of 1 findings")
    assert said[4].startswith("digests beyond the first")


def test_of_two_machines_of_one_name_nobody_knows_which_the_host_is() -> None:
    refused(lines({**ROW, "Fqdn": "lis-1.a"}, {**ROW, "Fqdn": "lis-1.b"}), "tells of lis-1.a and lis-1.b")


def test_the_hosts_a_report_names_are_told_from_names_nobody_knows() -> None:
    report = read(lines(ROW, {**ROW, "Fqdn": "stranger"}, {**ROW, "Fqdn": "ws-1"}), "hunt.json")
    assert known_hosts(report, {"lis-1", "ws-1", "ws-2"}) == (["lis-1", "ws-1"], ["stranger"])
    with pytest.raises(Refused, match="names no host: say which one"):
        known_hosts(read(CLAM.encode(), "clam.log"), {"lis-1"})
