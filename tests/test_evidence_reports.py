"""What other tools wrote is read line by line; what does not fit is refused with its file and line."""

from __future__ import annotations

import json

import pytest

from orchestrator.errors import Refused
from orchestrator.evidence import reports
from orchestrator.evidence.reports import Report, read

SHA = "ab" * 32
CLAM = """/mnt/lis-1/etc/passwd: OK
/mnt/lis-1/tmp/x: Win.Test.EICAR_HDB-1 FOUND
/mnt/lis-1/root/.x: Can't access file ERROR
LibClamAV Warning: old database

----------- SCAN SUMMARY -----------
Known viruses: 8653189
Engine version: 1.0.7
Scanned directories: 821
Scanned files: 4750
Infected files: 1
Total errors: 1
Data scanned: 183.81 MB
Start Date: 2026:11:19 18:30:16
"""
LOKI = f"""20261119T14:49:11Z LIS-1 LOKI: Notice: MODULE: Init MESSAGE: Starting Loki Scan VERSION: 0.44.0 SYSTEM: LIS-1
20261119T14:49:12Z LIS-1 LOKI: Warning: MODULE: FileScan MESSAGE: FILE: /srv/x.php SCORE: 70 TYPE: PHP SIZE: 9 \
MD5: 00 SHA1: 11 SHA256: {SHA} CREATED: x
20261119T14:49:17Z LIS-1 LOKI: Notice: MODULE: Results MESSAGE: Finished LOKI Scan SYSTEM: LIS-1 TIME: x
"""
THOR = (
    "Jul 22 10:35:20 LIS-1/198.51.100.10 THOR: Alert: MODULE: Filescan MESSAGE: Malware file found SCORE: 180 "
    f"FILE: C:\\Windows\\Temp\\evil.exe EXT: .exe TYPE: EXE MD5: 01 SHA1: 02 SHA256: {SHA} FIRSTBYTES: 4d5a / MZ\n"
    "<190>Jul 22 10:36:30 LIS-1/198.51.100.10 THOR: Info: MODULE: Startup MESSAGE: Thor Version: 10.7.30\n"
    "Jul 22 10:36:31 LIS-1/198.51.100.10 THOR: Error: MODULE: Filescan MESSAGE: Could not open FILE: C:\\x\n"
)
THOR_3 = {
    "type": "THOR finding",
    "meta": {"time": "2026-02-22T00:00:00Z", "level": "Alert", "module": "Filescan", "hostname": "lis-1.hospital.test"},
    "message": "Malicious file found",
    "subject": {"type": "file", "path": "/tmp/x", "hashes": {"sha256": SHA}},
    "log_version": "v3.0.0",
}
ROW = {
    "ClientId": "C.1", "Fqdn": "lis-1.hospital.test", "_Source": "Windows.System.Pslist",
    "Name": "x.exe", "Exe": "C:\\x.exe", "Hash": {"MD5": "0", "SHA256": SHA.upper()}, "Score": 1.5, "Args": ["a"],
}  # fmt: skip


def lines(*rows: object) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def refused(content: bytes, *words: str) -> None:
    with pytest.raises(Refused) as caught:
        read(content, "report")
    for word in words:
        assert word in caught.value.sentence


def one(report: Report, name: str) -> reports.Found:
    assert [*report.hosts] == [name]
    return report.hosts[name]


def test_a_clamav_log_tells_what_was_found_how_many_files_it_saw_and_what_it_could_not_read() -> None:
    report = read(CLAM.replace("\n", "\r\n").encode(), "clam.log")
    found = one(report, "")
    assert (report.tool, report.whole, found.scanned, found.errors) == ("ClamAV", True, 4750, 1)
    assert found.lists["alert"] == ["line 2: Win.Test.EICAR_HDB-1 in /mnt/lis-1/tmp/x"]


def test_a_log_of_the_clamav_service_counts_the_files_it_lists() -> None:
    report = read(b"Thu Nov 19 10:00:00 2026 -> /srv/a: OK\n/srv/b: moved to '/q/b'\nERROR: no\n", "clamd.log")
    found = one(report, "")
    assert (report.whole, found.scanned, found.errors) == (False, 1, 1)


def test_a_clamav_log_without_what_its_summary_counts_is_not_whole() -> None:
    refused(CLAM.replace("Infected files: 1", "Infected files: 2").encode(), "counts 2 infected files and shows 1")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (CLAM + "something else", "line 15"),
        (CLAM.replace("4750", "many"), "line 10"),
        (LOKI + "x", "line 4"),
        (LOKI + THOR, "line 4"),
        (lines(ROW).decode() + "\n[1]", "line 2"),
        (lines(ROW, {"ClientId": "C.1"}).decode(), "line 2"),
        (lines(THOR_3, {"message": "x"}).decode(), "line 2"),
    ],
)
def test_a_bad_line_is_named_with_its_file(content: str, line: str) -> None:
    refused(content.encode(), f"report {line} is ")


def test_a_loki_log_tells_findings_of_its_host_and_whether_it_came_to_its_end() -> None:
    report = read(LOKI.encode(), "loki.log")
    found = one(report, "lis-1")
    assert (report.tool, report.whole, len(found), found.ran) == ("Loki", True, 1, 2)
    assert found.files == {f"{SHA}  srv/x.php".encode()}
    assert found.lists["warning"][0].startswith("line 2: FileScan: FILE: /srv/x.php")
    assert not read(LOKI.rpartition("2026")[0].encode(), "loki.log").whole


def test_a_thor_log_tells_findings_by_their_level_and_paths_as_all_evidence_does() -> None:
    found = one(read(THOR.encode(), "thor.log"), "lis-1")
    assert (len(found.lists["alert"]), found.errors, found.ran, found.scanned) == (1, 1, 1, None)
    assert found.files == {f"{SHA}  C:/Windows/Temp/evil.exe".encode()}


@pytest.mark.parametrize("text", ["Scanned files: 12", "SCANNED_ELEMENTS: 12", "12 files scanned"])
def test_a_thor_log_may_say_how_many_files_it_scanned(text: str) -> None:
    log = THOR + f"Jul 22 10:36:30 LIS-1/198.51.100.10 THOR: Info: MODULE: Report MESSAGE: {text}\n"
    assert one(read(log.encode(), "thor.log"), "lis-1").scanned == 12


def test_thor_json_of_every_version_is_read() -> None:
    flat = {
        "time": "x", "hostname": "ws-1", "level": "Warning", "module": "Filescan", "message": "m",
        "file": "C:\\y", "sha256": SHA, "log_version": "v1.0.0",
    }  # fmt: skip
    report = read(lines(THOR_3, flat), "thor.json")
    assert [*report.hosts] == ["lis-1.hospital.test", "ws-1"]
    assert report.hosts["ws-1"].files == {f"{SHA}  C:/y".encode()}
    assert report.hosts["lis-1.hospital.test"].files == {f"{SHA}  tmp/x".encode()}
    assert len(report.hosts["lis-1.hospital.test"].lists["alert"]) == 1


def test_a_row_of_a_hunt_is_a_fact_of_its_host_and_a_row_of_bookkeeping_is_none() -> None:
    ran = {"ClientId": "C.2", "Fqdn": "ws-1", "FlowId": "F.1", "State": "FINISHED", "Name": None}
    report = read(lines(ROW, ran), "hunt.json")
    found = report.hosts["lis-1.hospital.test"]
    assert found.lists["row"][0].startswith('line 1: Windows.System.Pslist: {"Args": ["a"], "Exe": "C:')
    assert found.files == {f"{SHA}  C:/x.exe".encode()}
    assert (len(report.hosts["ws-1"]), report.hosts["ws-1"].ran) == (0, 1)


def test_what_could_disturb_a_terminal_or_a_document_is_spelled_out() -> None:
    row = {**ROW, "Name": "a\x1b[2Jb\ud800"}
    found = read(lines(row), "hunt.json").hosts["lis-1.hospital.test"]
    assert "\\u001b" in found.lists["row"][0]
    assert "\\ud800" in found.lists["row"][0]
    odd = read(b"/mnt/\x1b[2J: X FOUND\n", "clam.log").hosts[""]
    assert odd.lists["alert"] == ["line 1: X in /mnt/\\x1b[2J"]


def test_findings_beyond_the_bound_are_counted_and_long_ones_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "FINDINGS_MAX", 1)
    monkeypatch.setattr(reports, "TEXT_CHARS_MAX", 5)
    found = one(read(b"/a/b: Long-name FOUND\n/c: X FOUND\n", "clam.log"), "")
    assert (found.lists["alert"], found.beyond, found.cut) == (["line 1: Long-"], 1, 1)
    two = {**ROW, "More": {"Path": "/y", "SHA256": "cd" * 32}}
    assert len(read(lines(two), "hunt.json").hosts["lis-1.hospital.test"].files) == 1


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xff\xfe", "line 1 is no UTF-8"),
        (b"<xml/>", "of no format that is read"),
        (b"[]", "of no format that is read"),
        (b'{"a": 1}', "of no format that is read"),
        (b'{"ClientId": "C.1"}', "of no format that is read"),
        (b"{" * 100_000, "of no format that is read"),
    ],
)
def test_an_unknown_format_is_refused_in_a_sentence(content: bytes, word: str) -> None:
    refused(content, word)


def test_a_report_is_bounded_in_bytes_and_in_characters_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "LINE_CHARS_MAX", 10)
    refused(b"x" * 11, "line 1 has more than 10 characters")
    monkeypatch.setattr(reports, "FILE_BYTES_MAX", 10)
    refused(b"x" * 11, "has 11 bytes; at most 10")
