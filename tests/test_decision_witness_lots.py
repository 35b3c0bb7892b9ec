"""What the witness notes of lots, reckoned anew: it agrees with honest stories and sees what a forged one takes."""

from __future__ import annotations

from orchestrator.decision.commands import Issue
from orchestrator.decision.events import Judged
from tests.forged_histories import heard, seen
from tests.storyline import SECOND, SET, Story, Tell
from tests.test_decision_lots import POSTS, bench, made, opened, sampled, whole


def signed(story: Story, *names: str) -> Judged:
    """One forged statement that calls all of them CLEAN."""
    inspections = {name: story.state.inspection[story.host(name)] for name in names}
    return Judged("CLEAN", inspections, "analyst-3", SET, story.now_us + 86_400 * SECOND, "blob")


def test_the_witness_draws_whom_the_core_drew_and_lets_the_rest_out_on_one_statement(tell: Tell) -> None:
    story = whole(sampled(tell), "analyst-3", *POSTS).whatever()
    (lot,) = heard(story).books.lots.all
    assert lot.drawn == set(POSTS[:2])
    assert lot.hosts.keys() == set(POSTS)


def test_those_drawn_that_are_out_stand_in_the_statement_on_the_rest(tell: Tell) -> None:
    story = sampled(tell)
    for name in POSTS[:2]:
        story.finish(f"{name}/reconnect/1").whatever()
    whole(story, "analyst-3", *POSTS).expect(*(f"issue {name}/reconnect/1" for name in POSTS[2:]))
    assert heard(story).books.lots.all[0].condemned is False


def test_a_statement_on_a_lot_of_which_too_few_were_read_is_seen(tell: Tell) -> None:
    story = made(opened(bench(tell)), *POSTS)
    unread = "it was drawn and is not CLEAN, and its lot is"
    assert seen(story, signed(story, *POSTS)) == [(1, "ws-1", unread), (1, "ws-2", unread)]


def test_a_statement_on_hosts_of_no_lot_is_seen(tell: Tell) -> None:
    story = made(bench(tell), "ws-1", "ws-2")
    alien = "it is called CLEAN with others and is not of their lot"
    assert seen(story, signed(story, "ws-1", "ws-2")) == [(1, "ws-1", alien), (1, "ws-2", alien)]


def test_a_host_that_bears_a_trace_and_one_inspected_before_its_lot_was_opened_stand_in_none(tell: Tell) -> None:
    story = opened(made(bench(tell), "ws-1"))
    made(story, *POSTS[1:5])
    story.finish("ws-6/restore/1", image_digest="ab" * 32, restore_point_us=0).whatever()
    story.finish("ws-6/inspect/1", marker=True).whatever()
    assert heard(story).books.lots.all[0].hosts.keys() == set(POSTS[1:5])


def test_once_one_of_its_lot_is_infected_no_host_goes_out_on_the_word_given_for_all(tell: Tell) -> None:
    story = sampled(tell).order("freeze", "all", "operator-1").whatever()
    whole(story, "analyst-3", *POSTS).nothing()
    story.verdicts("ws-4", "analyst-1", verdict="INFECTED").whatever()
    story.order("thaw", "all", "operator-1", "it-director").whatever()
    assert heard(story).books.lots.all[0].condemned
    told = seen(story, Issue("ws-3/reconnect/1", "ws-3", "reconnect"))
    assert (1, "ws-3", "its proof of clean does not stand") in told


def test_a_server_found_infected_condemns_no_lot(tell: Tell) -> None:
    story = sampled(tell).inspected("lis-1").sweep().whatever()
    story.verdicts("lis-1", "analyst-1", verdict="INFECTED").whatever()
    assert not any(lot.condemned for lot in story.state.lots.values())
    assert not heard(story).books.lots.all[0].condemned
