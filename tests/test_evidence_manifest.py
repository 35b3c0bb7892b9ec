"""A manifest tells what a host holds, and its difference what is not as it should be; nothing is lost on the way."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.evidence import manifest


def line(path: bytes, content: bytes = b"x") -> bytes:
    return hashlib.sha256(content).hexdigest().encode() + b"  " + path


GOLDEN = frozenset((line(b"etc/passwd"), line(b"bin/sh"), line(b"caf\xe9")))


def test_what_sha256sum_prints_is_a_manifest_and_sha256sum_can_verify_one(tmp_path: Path) -> None:
    for name in (b"a\nb", b"caf\xe9", b"plain"):
        (Path(tmp_path) / name.decode("utf-8", "surrogateescape")).write_bytes(name)
    printed = subprocess.run("sha256sum -z -- *", shell=True, cwd=tmp_path, capture_output=True, check=True).stdout
    lines = manifest.lines_of(printed)
    assert lines == {line(name, name) for name in (b"a\nb", b"caf\xe9", b"plain")}
    stored = manifest.to_bytes(lines)
    assert manifest.from_bytes(stored) == lines
    # `--check` has no -z: paths without line breaks are verified as lines.
    lines_only = b"\n".join(one for one in sorted(lines) if b"\n" not in one)
    subprocess.run(
        ["sha256sum", "--check", "--strict"], cwd=tmp_path, input=lines_only, check=True, capture_output=True
    )


def test_a_line_that_was_cut_off_is_no_file() -> None:
    assert manifest.lines_of(line(b"whole") + b"\0" + line(b"cut")) == {line(b"whole")}
    assert manifest.lines_of(b"a complaint\0" + line(b"whole") + b"\0") == {line(b"whole")}
    assert manifest.lines_of(b"") == frozenset()


@pytest.mark.parametrize("content", [b"x\0", line(b"a") + b"\0\0", line(b"A").upper() + b"\0", line(b"") + b"\0"])
def test_bytes_that_are_no_manifest_are_refused(content: bytes) -> None:
    with pytest.raises(Refused, match="no manifest"):
        manifest.from_bytes(content)


def test_a_difference_tells_new_changed_and_missing_files_apart_and_gives_the_whole_back() -> None:
    host = frozenset((line(b"etc/passwd", b"y"), line(b"bin/sh"), line(b"implant")))
    found = manifest.difference(host, GOLDEN)
    assert found.unknown == (line(b"implant"),)
    assert found.changed == (line(b"etc/passwd", b"y"),)
    assert found.missing == (b"caf\xe9",)
    assert len(found) == 3
    assert manifest.restored(GOLDEN, found) == host
    assert manifest.restored(GOLDEN, manifest.difference(GOLDEN, GOLDEN)) == GOLDEN


def test_two_hundred_thousand_files_are_compared_in_one_go() -> None:
    golden = frozenset(line(b"usr/lib/%d" % number) for number in range(200_000))
    host = golden - {line(b"usr/lib/7")} | {line(b"usr/lib/8", b"y"), line(b"new")} - {line(b"usr/lib/8")}
    host -= {line(b"usr/lib/8")}
    found = manifest.difference(host, golden)
    assert (len(found.unknown), len(found.changed), len(found.missing)) == (1, 1, 1)
    assert manifest.restored(golden, found) == host
    assert manifest.from_bytes(manifest.to_bytes(host)) == host


@pytest.mark.parametrize("path", [b"plain", "über".encode(), b"caf\xe9", b"a\\b", b"a\\xe9", b"a\nb", b"\\x5c\xff"])
def test_every_path_has_its_own_text_and_comes_back_from_it(path: bytes) -> None:
    assert manifest.path_of(manifest.text_of(path)) == path
