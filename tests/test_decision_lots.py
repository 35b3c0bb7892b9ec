"""Lots: who stands in one, whom the seed draws, what one signature lets out, and what one infected host takes back."""

from __future__ import annotations

import pytest

from orchestrator.decision import lots
from orchestrator.decision.events import Judged
from orchestrator.decision.stages import Stage
from orchestrator.plans.model import LotRule, Strategy
from tests.estates import server, workstation
from tests.storyline import SECOND, SET, Story, Tell, hospital, plain_class

IMAGE = "ab" * 32
SEED = "5eed" * 8
LOT = f"north/{IMAGE}"
POSTS = tuple(f"ws-{number}" for number in range(1, 7))
FACTS = {"image_digest": IMAGE, "restore_point_us": 0}


def bench(tell: Tell, first: int = 2, one_in: int = 1 << 60, strategies: tuple[Strategy, ...] = ("reimage",)) -> Story:
    """Six workstations of the laboratory and its server; the first two of a lot are read, and none by chance."""
    klass = plain_class("workstation", kind="workstation", lots=True, strategies=strategies)
    posts = tuple(workstation(one, "north", "laboratory") for one in POSTS)
    content = hospital(
        *posts,
        server("lis-1", "north", "lis"),
        classes=(plain_class("server"), klass),
        posts_per_site=6,
        lots=LotRule(first=first, one_in=one_in),
    )
    return tell(content).begun()


def opened(story: Story, image: str = IMAGE) -> Story:
    """An analyst opens the lot before anything of it is known."""
    return story.order("lot.open", "north", "analyst-1", image=image, seed=SEED).nothing()


def made(story: Story, *names: str, image: str = IMAGE) -> Story:
    """The hosts are reimaged and inspected."""
    for name in names:
        story.finish(f"{name}/restore/1", image_digest=image, restore_point_us=0).whatever()
        story.finish(f"{name}/inspect/1").whatever()
    return story.sweep().whatever()


def whole(story: Story, person: str, *names: str) -> Story:
    """One statement on all of them."""
    inspections = {name: story.state.inspection[story.host(name)] for name in names}
    return story.send(Judged("CLEAN", inspections, person, SET, story.now_us + 86_400 * SECOND, "blob"))


def sampled(tell: Tell) -> Story:
    """The lot is open, six are made, and two persons have read the first two: the lot can be signed for."""
    story = made(opened(bench(tell)), *POSTS)
    for name in POSTS[:2]:
        story.verdicts(name, "analyst-1", "analyst-2").whatever()
    return story


def test_once_the_sample_is_clean_one_signature_lets_the_rest_of_the_lot_out(tell: Tell) -> None:
    story = sampled(tell)
    assert lots.signable(story.state, story.state.lots[LOT], story.now_us)
    whole(story, "analyst-3", *POSTS).expect(*(f"issue {name}/reconnect/1" for name in POSTS[2:]))


def test_no_lot_is_signed_for_before_two_persons_have_read_each_that_was_drawn(tell: Tell) -> None:
    story = made(opened(bench(tell)), *POSTS)
    story.verdicts("ws-1", "analyst-1", "analyst-2").whatever().verdicts("ws-2", "analyst-1").nothing()
    assert not lots.signable(story.state, story.state.lots[LOT], story.now_us)
    refused = story.refuses("verdict.lot", lambda: whole(story, "analyst-3", *POSTS))
    assert refused.sentence == "ws-2 was drawn from the lot, and is not CLEAN by enough persons."


def test_an_exception_stands_in_for_no_reader_of_the_sample(tell: Tell) -> None:
    story = made(opened(bench(tell)), *POSTS)
    story.verdicts("ws-1", "analyst-1", "analyst-2").whatever()
    until_us = story.now_us + 3600 * SECOND
    story.order("host.exception", "ws-2", "operator-1", "crisis-1", until_us=until_us).nothing()
    story.verdicts("ws-2", "analyst-1").expect("issue ws-2/reconnect/1")
    story.refuses("verdict.lot", lambda: whole(story, "analyst-3", *POSTS))
    story.finish("ws-2/reconnect/1").whatever()
    story.refuses("verdict.lot", lambda: whole(story, "analyst-3", *POSTS))


def test_who_was_drawn_stands_in_the_statement_too(tell: Tell) -> None:
    story = sampled(tell)
    refused = story.refuses("verdict.lot", lambda: whole(story, "analyst-3", "ws-1", "ws-3", "ws-4"))
    assert refused.sentence == "ws-2 was drawn from the lot: the statement names it, too."


def test_hosts_of_no_lot_are_never_called_clean_together(tell: Tell) -> None:
    story = made(bench(tell), *POSTS)
    story.refuses("verdict.lot", lambda: whole(story, "analyst-1", "ws-1", "ws-2"))
    story.inspected("lis-1").sweep().whatever()
    story.refuses("verdict.lot", lambda: whole(story, "analyst-1", "ws-1", "lis-1"))
    story.verdicts("ws-1", "analyst-1", "analyst-2").whatever()


def test_a_server_has_no_part_in_the_lot_it_is_named_with(tell: Tell) -> None:
    story = sampled(tell).inspected("lis-1").sweep().whatever()
    refused = story.refuses("verdict.lot", lambda: whole(story, "analyst-3", *POSTS, "lis-1"))
    assert refused.facts["host"] == "lis-1"


def test_a_host_from_another_image_is_of_another_lot(tell: Tell) -> None:
    story = opened(opened(bench(tell)), image="cd" * 32)
    made(made(story, *POSTS[:5]), POSTS[5], image="cd" * 32)
    for name in POSTS[:2]:
        story.verdicts(name, "analyst-1", "analyst-2").whatever()
    story.refuses("verdict.lot", lambda: whole(story, "analyst-3", *POSTS))
    whole(story, "analyst-3", *POSTS[:5]).expect(*(f"issue {name}/reconnect/1" for name in POSTS[2:5]))


def test_what_was_inspected_before_the_lot_was_opened_is_none_of_it(tell: Tell) -> None:
    story = opened(made(bench(tell), "ws-1"))
    made(story, *POSTS[1:])
    assert story.host("ws-1") not in story.state.lot_of
    assert story.state.lots[LOT].drawn == {story.host("ws-2"), story.host("ws-3")}


def test_a_lot_of_fewer_than_the_sample_is_read_one_by_one(tell: Tell) -> None:
    story = made(opened(bench(tell, first=4)), "ws-1", "ws-2")
    for name in POSTS[:2]:
        story.verdicts(name, "analyst-1", "analyst-2").whatever()
    refused = story.refuses("verdict.lot", lambda: whole(story, "analyst-3", "ws-1", "ws-2"))
    assert refused.sentence == "ws-1 is one of the first 4 of its lot, and those are read."


def test_everybody_is_drawn_where_the_plan_says_one_in_one(tell: Tell) -> None:
    story = made(opened(bench(tell, first=1, one_in=1)), *POSTS)
    assert story.state.lots[LOT].drawn == {story.host(name) for name in POSTS}
    story.verdicts("ws-5", "analyst-1").nothing().verdicts("ws-5", "analyst-2").expect("issue ws-5/reconnect/1")


def test_a_host_of_a_lot_may_be_read_like_any_other(tell: Tell) -> None:
    story = made(opened(bench(tell)), *POSTS)
    story.verdicts("ws-6", "analyst-1").nothing().verdicts("ws-6", "analyst-2").expect("issue ws-6/reconnect/1")


def test_whoever_signs_for_a_lot_and_then_reads_a_host_of_it_counts_as_a_reader(tell: Tell) -> None:
    story = sampled(tell)
    story.order("freeze", "all", "operator-1").whatever()
    whole(story, "analyst-3", *POSTS).nothing()
    host = story.host("ws-3")
    assert story.state.by_lot[host] == {"analyst-3"}
    story.refuses("seats.full", lambda: story.verdicts("ws-3", "analyst-1"))
    story.order("indicators.force", "6" * 64, "analyst-1", "forensic-lead").nothing()
    story.verdicts("ws-3", "analyst-3").nothing()
    assert not story.state.by_lot[host]


def test_an_infected_host_takes_back_what_was_said_of_its_lot(tell: Tell) -> None:
    story = sampled(tell)
    story.order("freeze", "all", "operator-1").whatever()
    whole(story, "analyst-3", *POSTS).nothing()
    story.verdicts("ws-4", "analyst-1", verdict="INFECTED").whatever()
    assert story.state.lots[LOT].condemned
    assert not story.state.by_lot
    story.order("thaw", "all", "operator-1", "it-director").whatever()
    assert story.stage("ws-3") is Stage.INSPECTED
    refused = story.refuses("verdict.lot", lambda: whole(story, "analyst-3", *POSTS[:3]))
    assert "found INFECTED" in refused.sentence
    story.verdicts("ws-3", "analyst-1", "analyst-2").expect("issue ws-3/reconnect/1")
    story.refuses("lots.open", lambda: opened(story))


def test_hosts_of_a_condemned_lot_that_are_out_owe_an_inspection_and_those_on_their_way_are_taken_back(
    tell: Tell,
) -> None:
    story = sampled(tell)
    whole(story, "analyst-3", *POSTS).whatever()
    story.finish("ws-3/reconnect/1").whatever()
    story.verdicts("ws-1", "analyst-1", verdict="INFECTED").whatever()
    assert story.state.obligations[story.host("ws-3")].cause == "a host of its lot was found INFECTED"
    story.finish("ws-4/reconnect/1").whatever()
    assert story.stage("ws-4") is Stage.RESTORED


def test_a_host_found_suspect_is_read_and_holds_its_lot_until_then(tell: Tell) -> None:
    story = made(opened(bench(tell)), *POSTS)
    story.verdicts("ws-1", "analyst-1", "analyst-2").whatever()
    story.verdicts("ws-2", "analyst-1", verdict="SUSPECT").whatever()
    story.refuses("verdict.lot", lambda: whole(story, "analyst-3", "ws-1", "ws-3"))
    story.finish("ws-2/inspect/2").whatever()
    assert story.host("ws-2") not in story.state.lot_of
    story.verdicts("ws-2", "analyst-1", "analyst-2").whatever()
    whole(story, "analyst-3", *POSTS).expect(*(f"issue {name}/reconnect/1" for name in POSTS[2:]))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda story: story.finish("ws-6/inspect/1", marker=True),
        lambda story: story.finish("ws-6/inspect/1").whatever().sweep(answered=("ws-6",)),
        lambda story: story.finish("ws-6/inspect/1").whatever().verdicts("ws-6", "analyst-1", verdict="SUSPECT"),
    ],
)
def test_a_host_with_a_trace_a_doubt_or_a_way_out_stands_in_no_lot_until_it_is_made_anew(
    tell: Tell, spoil: object
) -> None:
    story = made(opened(bench(tell)), *POSTS[:5])
    story.finish("ws-6/restore/1", image_digest=IMAGE, restore_point_us=0).whatever()
    assert callable(spoil)
    spoil(story)
    story.whatever()
    assert story.host("ws-6") not in story.state.made
    story.bring("ws-6", Stage.INSPECTED)
    assert story.host("ws-6") not in story.state.lot_of


def test_a_host_restored_from_backup_or_declared_stands_in_no_lot(tell: Tell) -> None:
    story = opened(bench(tell, strategies=("restore", "reimage")))
    story.finish("ws-1/restore/1", image_digest=IMAGE).whatever().finish("ws-1/inspect/1").whatever()
    assert story.stage("ws-1") is Stage.INSPECTED
    assert not story.state.lots[LOT].members


def test_a_lot_is_opened_once_at_a_site_that_exists_for_an_image_with_a_digest(tell: Tell) -> None:
    story = opened(bench(tell))
    story.refuses("lots.open", lambda: opened(story))
    story.refuses("lots.form", lambda: opened(story, image="the usual one"))
    story.refuses("lots.form", lambda: story.order("lot.open", "north", "analyst-1", image="cd" * 32, seed="short"))
    story.refuses("orders.subject", lambda: story.order("lot.open", "moon", "analyst-1", image=IMAGE, seed=SEED))
