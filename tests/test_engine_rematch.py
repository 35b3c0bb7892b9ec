"""A new indicator set is matched with what is stored, host by host, while the incident goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.checks.indicators import Indicator, IndicatorSet
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Rematched
from orchestrator.decision.imported import Imported
from orchestrator.decision.state import State
from orchestrator.engine.rematch import Rematching
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import Difference
from orchestrator.evidence.matching import Matched, Matcher
from orchestrator.journal.blobs import Blobs
from orchestrator.plans.waves import derive
from tests.drill_ground import wait_until
from tests.estates import small_estate

BAD = b"a" * 64


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "evidence", packed=True)


@pytest.fixture
def rematching(blobs: Blobs) -> Iterator[Rematching]:
    found = Rematching(blobs)
    yield found
    found.close()


@pytest.fixture
def state(blobs: Blobs) -> State:
    """Two hosts that were inspected wait for a set that knows one bad file."""
    content = small_estate()
    state = State(Estate(content, derive(content)))
    wanted = IndicatorSet()
    wanted.add([Indicator("sha256", BAD.decode(), "CERT")])
    state.indicator_set = blobs.put(wanted.to_bytes())
    inspect(state, blobs, 0, clean(state, 0))
    inspect(state, blobs, 1, clean(state, 1))
    return state


def clean(state: State, host: int) -> Evidence:
    return Evidence(f"{state.estate.hosts[host]}/inspect/1", state.estate.hosts[host])


def infected(state: State, host: int, **fields: object) -> Evidence:
    differs = Difference((BAD + b"  opt/implant",), (), ())
    return Evidence("x", state.estate.hosts[host], differs=differs, **fields)  # type: ignore[arg-type]


def inspect(state: State, blobs: Blobs, host: int, seen: Evidence) -> None:
    state.inspection[host] = f"{state.estate.hosts[host]}/inspect/1"
    state.evidence[host] = blobs.put(seen.to_bytes())
    state.rematch.add(host)


def matched(rematching: Rematching, state: State) -> dict[str, set[str]]:
    """The hosts of each outcome."""
    found: list[Event] = []

    def answered() -> bool:
        found.extend(rematching.poll(state))
        return bool(found)

    wait_until(answered)
    told: dict[str, set[str]] = {}
    for event in found:
        assert isinstance(event, Rematched)
        assert event.indicator_set == state.indicator_set
        assert all(one == state.inspection[state.estate.host_number[host]] for host, one in event.inspections.items())
        told.setdefault(event.outcome, set()).update(event.inspections)
    return told


def test_a_bad_file_is_a_hit_and_the_others_have_none(rematching: Rematching, state: State, blobs: Blobs) -> None:
    first, second = state.estate.hosts[:2]
    assert matched(rematching, state) == {"no-hit": {first, second}}
    inspect(state, blobs, 1, infected(state, 1))
    assert matched(rematching, state) == {"no-hit": {first}, "hit": {second}}


def test_what_another_tool_found_is_matched_too(rematching: Rematching, state: State, blobs: Blobs) -> None:
    digest = blobs.put(infected(state, 0, source={"name": "f", "format": "g", "sha256": "0"}).to_bytes())
    state.imported[0] = [Imported(digest, "file", "THOR", "offline", "analyst-1", 1)]
    assert matched(rematching, state) == {"hit": {state.estate.hosts[0]}, "no-hit": {state.estate.hosts[1]}}


def test_evidence_nobody_can_read_is_never_called_free_of_hits(
    rematching: Rematching, state: State, blobs: Blobs
) -> None:
    old, lost = state.estate.hosts[:2]
    state.evidence[0] = blobs.put(b'{"version":1}')
    state.evidence[1] = "f" * 64
    assert matched(rematching, state) == {"unmatched": {old, lost}}


def test_a_rule_on_files_that_were_not_fetched_and_a_set_nobody_kept_match_nothing(
    rematching: Rematching, state: State, blobs: Blobs
) -> None:
    both = {*state.estate.hosts[:2]}
    state.indicator_set = blobs.put(IndicatorSet(rules={"r.yar": "rule r { condition: true }"}).to_bytes())
    assert matched(rematching, state) == {"unmatched": both}
    state.indicator_set = "e" * 64
    assert matched(rematching, state) == {"unmatched": both}


class Panic(BaseException):
    """As a pattern engine written in another language fails."""


@pytest.mark.parametrize("failure", [ValueError("too deep"), Panic("overflow")])
def test_whatever_the_matching_breaks_with_the_engine_goes_on_and_the_host_stays_unmatched(
    rematching: Rematching,
    state: State,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: BaseException,
) -> None:
    first, second = state.estate.hosts[:2]
    genuine = Matcher.match

    def breaks(self: Matcher, seen: Evidence) -> Matched:
        if seen.host == first:
            raise failure
        return genuine(self, seen)

    monkeypatch.setattr(Matcher, "match", breaks)
    assert matched(rematching, state) == {"unmatched": {first}, "no-hit": {second}}
    assert f"of {first} cannot be matched: {type(failure).__name__}: {failure}" in caplog.text


def test_a_set_that_breaks_while_it_is_made_ready_matches_nothing(
    rematching: Rematching, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*given: object) -> Matcher:
        raise Panic

    monkeypatch.setattr("orchestrator.engine.rematch.Matcher", breaks)
    assert matched(rematching, state) == {"unmatched": {*state.estate.hosts[:2]}}
    monkeypatch.undo()
    assert matched(rematching, state) == {"no-hit": {*state.estate.hosts[:2]}}, "it goes on"


def test_nothing_is_matched_where_nobody_asks(rematching: Rematching, state: State) -> None:
    state.rematch.clear()
    assert [rematching.poll(state) for _ in range(3)] == [[], [], []]
