"""The folder for the CERT: its own steps, run as its README says, verify it and find every change, without Relance."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import Refused, Unusable
from orchestrator.interfaces.handing_over import hand_over
from orchestrator.journal.export import verify_export
from orchestrator.journal.record import Head, leaf_hash, root_of
from orchestrator.trust.keys import SK_ED25519
from tests.live_hospital import hospital
from tests.security_keys import SecurityKey


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Head, Head]:
    """An export of a hospital with two verdicts, somebody new with a security key, and a head printed before."""
    folder = tmp_path_factory.mktemp("incident")
    with hospital(folder / "state") as here:
        here.open_incident()
        here.quarantined("foundations")
        here.judge("CLEAN", "analyst-1", "ad-1")
        printed = here.engine.head()
        newcomer = {"id": "token-1", "roles": ["operator"], "key": f"verify-required {SecurityKey(SK_ED25519).line}"}
        here.order("roster.add", "token-1", "operator-1", "it-director", person=newcomer)
        here.judge("SUSPECT", "analyst-2", "ad-1")
        head = hand_over(here.engine.state_dir, folder / "cert")
    return folder / "cert", head, printed


@pytest.fixture
def cert(given: tuple[Path, Head, Head], tmp_path: Path) -> Path:
    """A copy of it, on the CERT's own machine."""
    shutil.copytree(given[0], tmp_path / "copy")
    return tmp_path / "copy"


def steps(folder: Path, head: Head | str) -> list[subprocess.CompletedProcess[str]]:
    """What the README says, typed as it stands there."""
    text = (folder / "README.txt").read_text()
    blocks = re.findall(r"\n\n((?:    .*\n)+)", text)[1:]
    assert len(blocks) == 2
    environment = {"PATH": os.environ["PATH"]}
    return [
        subprocess.run(
            ["sh", "-c", block.replace("SIZE:ROOT", str(head))],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for block in blocks
    ]


def test_the_cert_verifies_the_folder_with_the_steps_that_lie_in_it(given: tuple[Path, Head, Head], cert: Path) -> None:
    _, head, printed = given
    for one in (head, printed):
        signatures, journal = steps(cert, one)
        documents = len([*cert.glob("*/*.json")])
        assert documents >= 10
        assert signatures.stdout.count("Good") == documents
        assert "DOES NOT VERIFY" not in signatures.stdout
        assert (journal.returncode, journal.stderr) == (0, "")
        assert journal.stdout == f"Complete, unchanged, and a continuation of {one}.\n"
    assert verify_export(cert / "journal.jsonl") == head
    assert (cert / "head.txt").read_text() == f"{head}\n"
    assert (cert / "allowed_signers").read_text().count("\n") == 10
    assert not [path for path in cert.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]


def recomputed(folder: Path, lines: list[bytes]) -> None:
    """The journal as somebody leaves it who computes everything anew."""
    head = Head(len(lines), root_of([leaf_hash(line) for line in lines]))
    end = json.dumps({"head": head.as_json()}, sort_keys=True, separators=(",", ":")).encode()
    (folder / "journal.jsonl").write_bytes(b"".join(line + b"\n" for line in (*lines, end)))
    (folder / "head.txt").write_text(f"{head}\n")


def edited(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    return lambda folder: recomputed(folder, change((folder / "journal.jsonl").read_bytes().splitlines()[:-1]))


def document(folder: Path, word: str) -> Path:
    return next(path for path in sorted(folder.glob("*/*.json")) if word in path.read_text())


def replaced(word: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = document(folder, word)
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


def exchanged(folder: Path) -> None:
    first, *_, second = sorted(folder.glob("order/*.json"))
    first.write_text(second.read_text())


CHANGES: dict[str, Callable[[Path], None]] = {
    "a record rewritten": edited(lambda lines: [*lines[:3], lines[3].replace(b'"at_us":', b'"at_us":1'), *lines[4:]]),
    "a record dropped": edited(lambda lines: [*lines[:5], *lines[6:]]),
    "two records exchanged": edited(lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]]),
    "a record forged": edited(lambda lines: [*lines[:5], lines[5], *lines[5:]]),
    "the end cut off": edited(lambda lines: lines[:-5]),
    "the last line changed": lambda folder: (folder / "journal.jsonl").write_bytes(
        (folder / "journal.jsonl").read_bytes().replace(b'"root":"', b'"root":"0')
    ),
    "a verdict rewritten": replaced("CLEAN", '"CLEAN"', '"SUSPECT"'),
    "an order rewritten": replaced("fact.t0", "at_us", "at_uz"),
    "a document under another's number": exchanged,
    "a signature removed": lambda folder: next(folder.glob("verdict/*.sig")).unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_was_changed_in_the_folder_the_steps_find_it(
    given: tuple[Path, Head, Head], cert: Path, change: str
) -> None:
    CHANGES[change](cert)
    signatures, journal = steps(cert, given[2] if "cut" not in change else given[1])
    assert journal.returncode == 1
    assert journal.stdout
    assert journal.stderr == ""
    if "rewritten" in change and "record" not in change:
        assert "DOES NOT VERIFY" in signatures.stdout


def test_what_is_recorded_and_what_was_signed_must_say_the_same_whoever_computed_the_hashes(
    given: tuple[Path, Head, Head], cert: Path
) -> None:
    """A record after the last head anybody printed is rewritten: the signed text contradicts it."""
    lines = (cert / "journal.jsonl").read_bytes().splitlines()[:-1]
    at = next(index for index, line in enumerate(lines) if b'"SUSPECT"' in line)
    lines[at] = lines[at].replace(b'"SUSPECT"', b'"CLEAN"')
    recomputed(cert, lines)
    _, journal = steps(cert, given[2])
    assert "says something else than what was recorded" in journal.stdout


def test_a_signer_who_saw_a_later_past_betrays_a_rewritten_one(given: tuple[Path, Head, Head], cert: Path) -> None:
    """Without any printed head: what the last signer saw is one."""
    edited(lambda lines: [*lines[:3], lines[3].replace(b'"at_us":', b'"at_us":1'), *lines[4:]])(cert)
    _, journal = steps(cert, (cert / "head.txt").read_text().strip())
    assert "was signed over another journal than this" in journal.stdout


def test_a_folder_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "cert").mkdir()
    with pytest.raises(Refused, match="is there already"):
        hand_over(tmp_path / "state", tmp_path / "cert")


def test_a_journal_that_cannot_be_read_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(Unusable):
        hand_over(tmp_path / "state", tmp_path / "cert")
    assert not (tmp_path / "cert").exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unusable):
        hand_over(tmp_path / "state", tmp_path / "file" / "cert")
