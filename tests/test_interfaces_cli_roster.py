"""Help arrives in the night: two persons add them for some days, and a stolen key's verdicts count no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.trust import keys
from tests.command_line import Said, Terminal, terminal
from tests.live_hospital import HOUR_US, NOW

LOOKED = ("--method", "read", "--examined", "jobs")


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with terminal(tmp_path, capsys) as found:
        yield found


def both(here: Terminal, *words: str) -> Said:
    """An order of two: an operator makes it, the IT director signs it too."""
    first = here.signs("operator-1", *words)
    assert first.code == 4, first.out
    return here.signs("it-director", "order", "sign", first.document["error"]["facts"]["order"])


def added(here: Terminal, folder: Path, *words: str) -> Path:
    keys.generate(folder / "new")
    assert both(here, "roster", "add", "analyst-9", "--public-key", str(folder / "new.pub"), *words).code == 0
    return folder / "new"


def seats_open(here: Terminal, host: str) -> int:
    return sum(one["seats_open"] for one in here.types.json("queue").document["hosts"] if one["host"] == host)


def test_two_persons_add_an_analyst_who_can_judge_at_once(here: Terminal, tmp_path: Path) -> None:
    here.here.quarantined("foundations")
    key = added(here, tmp_path, "--roles", "analyst")
    words = ("verdict", "sign", "CLEAN", "ad-1", *LOOKED, "--key", str(key), "--person", "analyst-9")
    assert here.types(*words).code == 0


def test_whoever_is_added_may_sign_for_two_weeks_unless_said_otherwise(here: Terminal, tmp_path: Path) -> None:
    added(here, tmp_path, "--roles", "analyst")
    until_us = here.here.engine.read(lambda state, _: state.roster["analyst-9"].valid_until_us)
    assert 13 * 24 * HOUR_US < until_us - NOW.now_us() <= 14 * 24 * HOUR_US


def test_both_who_sign_read_the_fingerprint_and_the_end_as_a_date(here: Terminal, tmp_path: Path) -> None:
    public = keys.generate(tmp_path / "new")
    words = ("roster", "add", "analyst-9", "--public-key", str(tmp_path / "new.pub"), "--roles", "analyst")
    said = here.signs("operator-1", *words, "--days", "2")
    assert public.fingerprint in said.err
    assert " UTC" in said.err.partition("valid_until_us")[2].partition("\n")[0]


@pytest.mark.parametrize("days", ["0", "366", "-1"])
def test_nobody_is_added_for_good(here: Terminal, tmp_path: Path, days: str) -> None:
    keys.generate(tmp_path / "new")
    words = ("roster", "add", "x-1", "--public-key", str(tmp_path / "new.pub"), "--roles", "analyst")
    said = here.signs("operator-1", *words, "--days", days)
    assert (said.code, said.document["error"]["rule"]) == (2, "usage.days")


def test_a_private_key_or_no_file_is_never_sent_as_somebodys_key(here: Terminal, tmp_path: Path) -> None:
    keys.generate(tmp_path / "new")
    for path, rule in (("new", "key.line"), ("nowhere.pub", "usage.file")):
        words = ("roster", "add", "x-1", "--public-key", str(tmp_path / path), "--roles", "analyst")
        assert here.signs("operator-1", *words).document["error"]["rule"] == rule


def test_a_revoked_analysts_seat_opens_again_and_they_judge_no_more(here: Terminal) -> None:
    here.here.quarantined("foundations")
    here.signs("analyst-1", "verdict", "sign", "CLEAN", "ad-1", *LOOKED)
    assert seats_open(here, "ad-1") == 1
    assert both(here, "roster", "revoke", "analyst-1").code == 0
    assert seats_open(here, "ad-1") == 2
    said = here.signs("analyst-1", "verdict", "sign", "CLEAN", "ad-2", *LOOKED)
    assert said.document["error"]["rule"] == "roster.revoked"


def test_no_host_that_is_out_on_a_revoked_persons_word_is_passed_over(here: Terminal) -> None:
    here.here.bring_back("foundations")
    out = here.types.json("status").document["obligations"]
    assert out == []
    assert both(here, "roster", "revoke", "analyst-1").code == 0
    here.here.settle()
    owed = {one["host"] for one in here.types.json("status").document["obligations"]}
    assert owed == {"ad-1", "ad-2", "backup-1"}
