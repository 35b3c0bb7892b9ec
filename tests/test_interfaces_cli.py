"""The command as people type it: exit codes, one document or one sentence, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import ContentError
from orchestrator.interfaces import cli_content
from orchestrator.interfaces.cli import main
from tests.command_line import Keyboard, typed
from tests.small_estate import SMALL, SmallEstate

COMMANDS = (
    *(
        "init",
        "review",
        "plan",
        "run",
        "drill",
        "checks",
        "status",
        "why",
        "exposure",
        "queue",
        "tasks",
        "orders",
        "order",
    ),
    *("wave", "host", "freeze", "thaw", "fact", "claim", "task", "verdict", "audit", "verify", "backup"),
)
HEAVY = {"fastapi", "uvicorn", "paramiko", "ansible_runner", "rich", "httpx", "prometheus_client"}


def test_a_newcomer_lays_down_reviews_and_plans_an_estate_outside_the_checkout(tmp_path: Path) -> None:
    laid = typed("init", "estate", cwd=tmp_path)
    assert laid.code == 0, laid.err
    assert "relance --estate estate review" in laid.out
    reviewed = typed("--estate", "estate", "--format", "json", "review", cwd=tmp_path)
    assert reviewed.code == 0, reviewed.err
    assert all(one.keys() == {"severity", "file", "line", "message"} for one in reviewed.document)
    planned = typed("--format", "json", "plan", cwd=tmp_path, RELANCE_ESTATE="estate")
    assert planned.code == 0, planned.err
    assert planned.document["waves"][0]["name"] == "foundations"


def test_an_estate_is_laid_down_from_a_list_of_hosts(tmp_path: Path) -> None:
    rows = ["id,kind,site,function_or_services,class", "ad-1,server,main,ad dns,first-server"]
    (tmp_path / "hosts.csv").write_text("\n".join(rows) + "\n")
    laid = typed("init", "estate", "--from", "hosts.csv", cwd=tmp_path)
    assert laid.code in (0, 1)
    assert "Traceback" not in laid.err
    missing = typed("init", "other", "--from", "nowhere.csv", cwd=tmp_path)
    assert (missing.code, missing.err.count("\n")) == (2, 1)


def test_an_audit_of_nothing_is_a_sentence_and_exit_7(tmp_path: Path) -> None:
    done = typed("--estate", str(SMALL), "--state", "nowhere", "audit", cwd=tmp_path)
    assert done.code == 7
    assert "There is no journal" in done.err
    assert done.out == ""


def test_here_is_the_estate_when_here_holds_an_inventory(tmp_path: Path) -> None:
    estate = SmallEstate(tmp_path)
    assert "foundations" in typed("plan", cwd=estate.path).out


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m orchestrator.interfaces.cli plan | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=SMALL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("words", ["review", "--format json review", "--format json init estate", "plan --why hv-1"])
def test_a_full_disk_under_the_output_is_one_sentence_and_exit_7(tmp_path: Path, words: str) -> None:
    command = f"{sys.executable} -m orchestrator.interfaces.cli --estate {SMALL} {words} > /dev/full"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 7
    assert done.stderr.count("\n") == 1
    assert "The system refused: No space left on device." in done.stderr


@pytest.mark.parametrize("place", ["/proc/nowhere", "file/estate", "/proc/self/fd/x/y"])
def test_an_estate_that_can_be_laid_down_nowhere_is_one_sentence_and_exit_7(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    done = typed("init", place, cwd=tmp_path)
    assert (done.code, done.out, done.err.count("\n")) == (7, "", 1)
    assert "The system refused: " in done.err


@pytest.fixture
def types(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Keyboard:
    monkeypatch.delenv("RELANCE_ESTATE", raising=False)
    return Keyboard(capsys)


@pytest.mark.parametrize("words", [[], ["fly"], ["plan", "--nonsense"], ["wave", "fly", "x"], ["why"], ["verdict"]])
def test_words_nobody_knows_are_answered_in_one_sentence_and_exit_2(types: Keyboard, words: list[str]) -> None:
    said = types(*words)
    assert said.code == 2
    assert said.out == ""
    assert "[usage." in said.err
    assert "Traceback" not in said.err


def test_failures_in_json_are_one_document_on_stdout(types: Keyboard) -> None:
    said = types("--format=json", "plan", "--nonsense")
    assert said.code == 2
    assert said.document["error"].keys() == {"code", "rule", "sentence", "facts"}
    assert said.err == ""


def test_a_format_nobody_knows_is_a_usage_error(types: Keyboard) -> None:
    assert types("--format", "xml", "plan").code == 2


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for command in ("init", "review", "run", "drill", "verdict", "audit", "tasks"):
        assert f"  {command} " in printed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"relance {command}" in capsys.readouterr().out


def test_an_interruption_is_no_traceback(types: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(estate: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_content, "planned", interrupted)
    assert types("--estate", str(SMALL), "plan").code == 130


def test_an_error_with_facts_no_json_knows_still_prints(types: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(estate: Path) -> None:
        raise ContentError("It is broken.", rule="content.review", file=Path("inventory/sites.yaml"))

    monkeypatch.setattr(cli_content, "planned", broken)
    said = types.json("--estate", str(SMALL), "plan")
    assert said.code == 1
    assert said.document["error"]["facts"]["file"] == "inventory/sites.yaml"


def test_planning_loads_neither_web_nor_ssh_nor_ansible() -> None:
    code = (
        "import sys; from orchestrator.interfaces.cli import main; main(['plan']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SMALL, capture_output=True, text=True, timeout=60, check=True
    )
    assert not HEAVY & set(done.stderr.split())
