"""Who goes next, and pools that are never overfull."""

from __future__ import annotations

from typing import Any

from orchestrator.decision.stages import Stage
from orchestrator.inventory.model import Task
from orchestrator.plans.model import Content, Pool, StepPools
from tests.estates import PRACTICE_TIMING, names, server, with_pools, workstation
from tests.storyline import OLD_POINT_US, Tell, hospital, plain_class


def servers(count: int, streams: int, releases: int = 20, **restart: Any) -> Content:
    """A laboratory service played by `count` servers, and pools of these sizes."""
    hosts = tuple(server(f"lis-{number}", "north", "lis") for number in range(1, count + 1))
    content = hospital(*hosts, **restart)
    return with_pools(
        content,
        Pool(id="backup-streams", name="Streams", size=streams),
        Pool(id="releases", name="Releases", size=releases),
    )


def test_a_pool_never_exceeds_its_size_and_the_most_urgent_goes_first(tell: Tell) -> None:
    story = tell(servers(5, streams=2)).opened().finish("north/isolate/1")
    story.expect("issue lis-1/restore/1 restore", "issue lis-2/restore/1 restore")
    story.finish("lis-2/restore/1").expect("issue lis-2/inspect/1", "issue lis-3/restore/1 restore")
    story.finish("lis-1/restore/1", "failed").expect("issue lis-4/restore/1 restore")
    story.finish("lis-3/restore/1").whatever().at(1).nothing()
    pool = next(number for number, slot in enumerate(story.state.estate.pools) if slot.pool == "backup-streams")
    assert story.state.in_use[pool] == 2


def test_a_try_whose_time_has_come_goes_before_the_less_urgent(tell: Tell) -> None:
    story = tell(servers(3, streams=1)).opened().finish("north/isolate/1").expect("issue lis-1/restore/1 restore")
    story.finish("lis-1/restore/1", "failed").expect("issue lis-2/restore/1 restore").at(1).nothing()
    story.finish("lis-2/restore/1").expect("issue lis-1/restore/2 restore", "issue lis-2/inspect/1")


def test_a_host_queued_for_one_step_and_then_wanted_for_another_takes_the_pools_of_the_other(tell: Tell) -> None:
    story = tell(servers(3, streams=1, releases=1)).begun().inspected("lis-1", "lis-2").released("lis-3")
    story.sweep().whatever()
    story.verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1")
    story.verdicts("lis-2", "analyst-1", "analyst-2").nothing()
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=OLD_POINT_US)
    story.expect(
        "condemn lis-2",
        "owe lis-3 its restore point is not older than the corrected T0",
        "issue lis-2/restore/2 restore",
        "issue lis-3/inspect/2",
    )
    story.finish("lis-1/reconnect/1").whatever()
    assert story.stage("lis-2") is Stage.RESTORING


def test_the_most_urgent_host_that_waits_for_people_holds_no_slot(tell: Tell) -> None:
    stuck = plain_class("stuck", tasks=(Task(id="cable", name=names("Cable"), step="restore"),))
    hosts = (server("lis-1", "north", "lis", klass="stuck"), server("lis-2", "north", "lis"))
    content = hospital(*hosts, classes=(plain_class("server"), stuck))
    story = tell(with_pools(content, Pool(id="backup-streams", name="Streams", size=1))).opened()
    assert story.state.urgency[story.host("lis-1")] < story.state.urgency[story.host("lis-2")]
    story.finish("north/isolate/1").expect("issue lis-2/restore/1 restore")
    story.order("task.done", "lis-1/cable", "technician-1").whatever()
    story.order("task.done", "lis-1/cable", "operator-1").nothing()
    story.finish("lis-2/restore/1").expect("issue lis-1/restore/1 restore", "issue lis-2/inspect/1")


def test_a_pool_of_size_zero_lets_nobody_start(tell: Tell) -> None:
    story = tell(servers(2, streams=0)).opened().finish("north/isolate/1").nothing().at(3600).nothing()
    assert story.stage("lis-1") is Stage.BLOCKED


def test_workstations_of_a_site_come_back_at_the_pace_their_site_can_bear(tell: Tell) -> None:
    timing = PRACTICE_TIMING.model_copy(update={"workstations_per_minute": 2})
    posts = tuple(workstation(f"ws-{number}", "north", "laboratory") for number in range(1, 5))
    content = hospital(server("lis-1", "north", "lis"), *posts, timing=timing, posts_per_site=4)
    story = tell(content).begun().inspected("ws-1", "ws-2", "ws-3", "ws-4").sweep().whatever()
    for name in ("ws-1", "ws-2", "ws-3", "ws-4"):
        story.verdicts(name, "analyst-1")
        story.expect(*([f"issue {name}/reconnect/1"] if name in ("ws-1", "ws-2") else []))
    story.finish("ws-1/reconnect/1").nothing().finish("ws-2/reconnect/1").nothing()
    story.at(59.9).nothing().at(0.1).expect("issue ws-3/reconnect/1", "issue ws-4/reconnect/1")


def test_each_site_keeps_its_own_pace(tell: Tell) -> None:
    timing = PRACTICE_TIMING.model_copy(update={"workstations_per_minute": 1})
    names = ("north-1", "north-2", "south-1", "south-2")
    posts = tuple(workstation(name, name.partition("-")[0], "laboratory") for name in names)
    content = hospital(server("lis-1", "north", "lis"), *posts, timing=timing, posts_per_site=2)
    story = tell(content).begun().inspected(*names).sweep().whatever().sweep("south").whatever()
    for name in names:
        story.verdicts(name, "analyst-1").expect(*([f"issue {name}/reconnect/1"] if name.endswith("1") else []))
    story.at(59.9).nothing().at(0.1).expect("issue north-2/reconnect/1", "issue south-2/reconnect/1")


def test_servers_do_not_wait_for_the_pace_of_workstations(tell: Tell) -> None:
    timing = PRACTICE_TIMING.model_copy(update={"workstations_per_minute": 1})
    story = tell(servers(3, streams=3, timing=timing)).begun().released("lis-1", "lis-2", "lis-3")
    assert story.now_us - story.state.waves[0].launched_us < 60_000_000


def test_a_host_that_became_more_urgent_leaves_its_old_place_in_the_queue(tell: Tell) -> None:
    story = tell(servers(4, streams=1)).opened().finish("north/isolate/1").expect("issue lis-1/restore/1 restore")
    before = story.state.urgency[story.host("lis-2")]
    story.order("host.exclude", "lis-1", "operator-1", "crisis-1").expect("cancel lis-1/restore/1")
    story.stop("lis-1/restore/1").expect("exclude lis-1", "issue lis-2/restore/1 restore")
    assert story.state.urgency[story.host("lis-2")] < before


def test_a_debt_that_holds_nobody_waits_until_the_others_were_inspected(tell: Tell) -> None:
    classes = (plain_class("server"), plain_class("first", cleanliness="offline"))
    hosts = (server("a", "north", "lis", klass="first"), server("b", "north", "lis"), server("c", "north", "lis"))
    content = with_pools(hospital(*hosts, classes=classes), Pool(id="inspections", name="Inspections", size=1))
    story = tell(content).begun().bring("a", Stage.RECONNECTING)
    story.finish("b/restore/1").expect("issue b/inspect/1")
    story.finish("c/restore/1").nothing().finish("a/reconnect/1")
    story.expect("owe a it was inspected offline, before the online tools were in service")
    story.finish("b/inspect/1").expect("issue c/inspect/1")
    story.finish("c/inspect/1").expect("issue a/inspect/2")


def test_a_slot_goes_to_the_next_when_the_most_urgent_lacks_another_pool(tell: Tell) -> None:
    both = plain_class("both", pools=StepPools(restore=("backup-streams", "bench-places")))
    plain = plain_class("plain", pools=StepPools(restore=("backup-streams",)))
    order = (("a", "both"), ("b", "plain"), ("c", "both"), ("d", "plain"))
    content = hospital(*(server(name, "north", "lis", klass=klass) for name, klass in order), classes=(both, plain))
    pools = (Pool(id="backup-streams", name="Streams", size=2), Pool(id="bench-places", name="Bench", size=1))
    story = tell(with_pools(content, *pools)).opened().finish("north/isolate/1")
    story.expect("issue a/restore/1 restore", "issue b/restore/1 restore")
    story.finish("b/restore/1").expect("issue b/inspect/1", "issue d/restore/1 restore")
    story.finish("a/restore/1").expect("issue a/inspect/1", "issue c/restore/1 restore")
