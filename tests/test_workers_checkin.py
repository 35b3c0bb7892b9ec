"""A check-in counts once, for the host as it stood when its script was made, and for nobody else."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.decision.stages import Stage
from orchestrator.errors import Refused, Unusable
from orchestrator.workers import checkin
from orchestrator.workers.checkin import Arrivals, Claim, Standing, new_claim, proof_of, secret_of, standing
from tests.storyline import Tell

STANDS = Standing("pc-1", 2, 1_000_000, "WS1")
CLAIM = new_claim("incident", STANDS, 2_000_000)


@pytest.fixture
def arrivals(tmp_path: Path) -> Arrivals:
    return Arrivals(tmp_path / "checkins")


def post(arrivals: Arrivals, claim: Claim, body: bytes = b"seen") -> None:
    path = arrivals.new_file()
    path.write_bytes(body)
    arrivals.put(claim, claim.token(b"secret"), path)


def _text(fields: object) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def test_a_claim_comes_back_as_it_was_and_nothing_else_is_one() -> None:
    assert Claim.from_text(CLAIM.text()) == CLAIM
    known = json.loads(CLAIM.text())
    for text in (
        *("", "{}", "[]", "7", '"x"', "{" * 900, CLAIM.text() + " ", CLAIM.text()[:-1], "[" * 1_900),
        json.dumps(known | {"more": 1}),
        json.dumps(known | {"standing": 1}),
        json.dumps(known),
        *(_text(known | {"until_us": wrong}) for wrong in ("soon", None, [])),
        _text(known | {"standing": known["standing"] | {"host": []}}),
    ):
        with pytest.raises(Refused, match="no claim"):
            Claim.from_text(text)


def test_every_script_has_a_token_of_its_own_that_only_this_state_folder_can_make(tmp_path: Path) -> None:
    other = new_claim("incident", STANDS, 2_000_000)
    assert CLAIM.token(b"secret") != other.token(b"secret") != CLAIM.token(b"other")
    assert proof_of("a" * 64, "b" * 64) != proof_of("b" * 64, "a" * 64)
    (tmp_path / "secrets").mkdir()
    first = secret_of(tmp_path)
    assert (secret_of(tmp_path), len(first)) == (first, 32)
    assert (tmp_path / "secrets" / "checkin_key").stat().st_mode & 0o777 == 0o600


def test_without_its_folder_no_secret_is_made_up(tmp_path: Path) -> None:
    with pytest.raises(Unusable):
        secret_of(tmp_path)


def test_what_arrived_stands_for_one_inspection_and_no_second(arrivals: Arrivals) -> None:
    assert arrivals.take("pc-1", STANDS.digest()) is None
    post(arrivals, CLAIM, b"a\nb\0\n")
    found = arrivals.take("pc-1", STANDS.digest())
    assert found is not None
    assert (found.body, found.mark) == (b"a\nb\0\n", CLAIM.mark)
    assert arrivals.take("pc-1", STANDS.digest()) is None


def test_a_token_is_good_once_also_after_the_process_was_started_anew(arrivals: Arrivals, tmp_path: Path) -> None:
    post(arrivals, CLAIM)
    for again in (arrivals, Arrivals(tmp_path / "checkins")):
        with pytest.raises(Refused, match="came already") as refused:
            post(again, CLAIM)
        assert refused.value.rule == "checkin.used"


@pytest.mark.parametrize("now", [{"restores": 3}, {"isolated_us": 5}, {"serial": "WS2"}])
def test_what_arrived_for_a_host_that_stands_otherwise_now_is_dropped(
    arrivals: Arrivals, now: dict[str, int | str]
) -> None:
    post(arrivals, CLAIM)
    assert arrivals.take("pc-1", replace(STANDS, **now).digest()) is None
    assert arrivals.take("pc-1", STANDS.digest()) is None


def test_of_two_check_ins_of_a_host_the_newer_counts(arrivals: Arrivals) -> None:
    post(arrivals, CLAIM, b"old")
    post(arrivals, new_claim("incident", STANDS, 2_000_000), b"new")
    found = arrivals.take("pc-1", STANDS.digest())
    assert found is not None
    assert found.body == b"new"


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "checkins").touch()
    broken = Arrivals(tmp_path / "checkins")
    with pytest.raises(Unusable):
        broken.new_file()
    with pytest.raises(Unusable):
        broken.take("pc-1", "x")
    with pytest.raises(Unusable):
        Arrivals(tmp_path / "gone").put(CLAIM, "token", tmp_path / "gone" / "body")


def test_another_restore_of_a_host_is_another_standing(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").whatever()
    host = story.state.estate.host_number["lis-1"]
    before = standing(story.state, host)
    assert (before.host, before.restores) == ("lis-1", 1)
    assert story.state.stage[host] is Stage.INSPECTED
    assert before.isolated_us == story.state.isolated_us[host] > 0
    digests = {one.digest() for one in (before, replace(before, restores=2), replace(before, isolated_us=0))}
    assert len(digests) == 3


def test_files_of_check_ins_are_for_their_owner_alone(arrivals: Arrivals, tmp_path: Path) -> None:
    post(arrivals, CLAIM)
    assert (tmp_path / checkin.FOLDER).stat().st_mode & 0o777 == 0o700
    assert {name.partition("-")[0] for name in os.listdir(tmp_path / checkin.FOLDER)} == {"host", "used"}
