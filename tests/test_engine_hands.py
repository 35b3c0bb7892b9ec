"""The hands of a live process: actions through the dispatcher, questions through the watch, in one poll."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.decision.commands import Cancel, Issue
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Cancelled, Dispatched, Swept
from orchestrator.decision.state import State
from orchestrator.engine.dispatch import Dispatcher, Places
from orchestrator.engine.hands import LiveHands
from orchestrator.engine.rematch import Rematching
from orchestrator.engine.watch import Watch
from orchestrator.journal.blobs import Blobs
from orchestrator.plans.waves import derive
from orchestrator.workers.probing import Prober
from orchestrator.workers.ssh import InspectionWorker
from tests.drill_ground import wait_until
from tests.estates import small_estate
from tests.test_engine_dispatch import Desk

SECOND = 1_000_000
NOW_US = 1_700_000_000 * SECOND


@pytest.fixture
def state() -> State:
    content = small_estate()
    state = State(Estate(content, derive(content)))
    state.at_us = NOW_US
    state.isolated_us = [NOW_US - SECOND] * len(state.stage)
    return state


@pytest.fixture
def hands(tmp_path: Path, state: State) -> Iterator[LiveHands]:
    places = Places(tmp_path / "playbooks", tmp_path / "runs", tmp_path / "key", tmp_path / "known_hosts")
    dispatcher = Dispatcher(places, Desk(), InspectionWorker(places.key, lambda document: ""))
    hands = LiveHands(dispatcher, Watch(state, Prober()), Rematching(Blobs(tmp_path / "evidence")))
    yield hands
    hands.close()


def test_one_poll_brings_batches_that_are_due_and_what_was_seen(hands: LiveHands, state: State) -> None:
    hands.issue(Issue("north/isolate/1", "north", "isolate"), state)
    first = hands.poll(state, NOW_US)
    assert Dispatched("isolate.yml", ["north/isolate/1"]) in first
    found = list(first)

    def swept() -> bool:
        found.extend(hands.poll(state, NOW_US))
        return any(isinstance(event, Swept) for event in found)

    wait_until(swept)


def test_a_dispatch_is_written_in_its_transaction_and_started_after_it(
    hands: LiveHands, state: State, tmp_path: Path
) -> None:
    hands.issue(Issue("north/isolate/1", "north", "isolate"), state)
    hands.poll(state, NOW_US)
    hands.dispatched(7, state)
    assert (tmp_path / "runs" / "7" / "request.json").exists()
    hands.committed()
    hands.cancel(Cancel("north/isolate/1", "why"))
    assert hands.dispatcher.live() == 0, "this desk starts no runner"


def test_gathering_counts_from_the_time_of_the_record(hands: LiveHands, state: State) -> None:
    host = state.estate.hosts[0]
    hands.issue(Issue(f"{host}/preserve/1", host, "preserve"), state)
    assert not [event for event in hands.poll(state, NOW_US + SECOND) if isinstance(event, Dispatched)]
    hands.cancel(Cancel(f"{host}/preserve/1", "why"))
    assert Cancelled(f"{host}/preserve/1") in hands.poll(state, NOW_US + SECOND)
