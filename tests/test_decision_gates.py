"""What a gate asks before it passes, and what holds a wave."""

from __future__ import annotations

from orchestrator.canonical import Json
from orchestrator.decision.blockers import task_stands
from orchestrator.decision.estate import WITNESSED_S, Estate
from orchestrator.decision.events import Woke
from orchestrator.decision.explain import gate_why, put
from orchestrator.decision.gates import FAILURES_MIN, FLAPS_US, falls, writes_now
from orchestrator.decision.stages import Stage
from orchestrator.inventory.model import Needs
from orchestrator.plans.model import Content, Split
from orchestrator.plans.waves import derive
from tests.estates import PRACTICE_TIMING, check, server, service, small_estate, with_checks, workstation
from tests.storyline import SECOND, START_US, Story, Tell, hospital, plain_class

LAB = "laboratory/slice"
DAY_S = 86_400


def laboratory(tell: Tell) -> Story:
    """The lone laboratory server is in service, its gate is open."""
    return tell().begun().in_service("lis-1")


def with_posts(count: int) -> Content:
    """A laboratory with one server and so many posts, all in its slice."""
    posts = tuple(workstation(f"ws-{number}", "north", "laboratory") for number in range(1, count + 1))
    return hospital(server("lis-1", "north", "lis"), *posts, posts_per_site=count)


def test_a_gate_passes_on_pass_readings_in_a_row_over_a_soak(tell: Tell) -> None:
    story = laboratory(tell)
    assert story.lacks(LAB) == ["unread service:lis"]
    story.read("service:lis").expect(f"start soak {LAB}").read("service:lis", times=4)
    assert story.pending(LAB) == [f"soak {story.state.waves[0].soak_us + 6_000_000}"]
    story.at(1).nothing().at(1).expect(f"pass gate {LAB}")
    assert story.records[-1][2]["subjects"] == ["service:lis"]
    assert (story.lacks(LAB), story.pending(LAB)) == ([], [])


def test_unknown_never_passes(tell: Tell) -> None:
    story = laboratory(tell).read("service:lis", "UNKNOWN").expect(f"start soak {LAB}")
    story.at(3).nothing()
    assert story.pending(LAB)[0] == "passes service:lis"
    for _ in range(20):
        story.read("service:lis", "UNKNOWN").whatever()
    assert story.lacks(LAB) == ["unknown service:lis"]
    assert not story.state.waves[0].passed_us


def test_the_soak_starts_anew_on_fail(tell: Tell) -> None:
    story = laboratory(tell).read("service:lis").expect(f"start soak {LAB}").read("service:lis", times=4).nothing()
    story.read("service:lis", "FAIL").expect(f"break soak {LAB}")
    assert story.reason() == "fails service:lis"
    story.read("service:lis").expect(f"start soak {LAB}").read("service:lis", times=5)
    story.at(1).expect(f"pass gate {LAB}")


def test_the_soak_starts_anew_on_an_unknown_older_than_two_intervals(tell: Tell) -> None:
    story = laboratory(tell).read("service:lis").expect(f"start soak {LAB}")
    story.read("service:lis", "UNKNOWN", times=5).nothing()
    story.read("service:lis", "UNKNOWN").expect(f"break soak {LAB}")
    story.read("service:lis").expect(f"start soak {LAB}")


def test_a_reading_that_is_too_old_passes_nothing_and_a_soak_that_nobody_watched_starts_anew(tell: Tell) -> None:
    story = laboratory(tell).read("service:lis").expect(f"start soak {LAB}").read("service:lis", times=2)
    story.at(3).nothing().at(10).nothing()
    assert story.pending(LAB) == ["stale service:lis"]
    story.read("service:lis").expect(f"start soak {LAB}").read("service:lis", times=5).nothing()
    story.at(1).expect(f"pass gate {LAB}")


def test_a_reading_is_fresh_for_two_intervals_and_not_a_moment_longer(tell: Tell) -> None:
    story = laboratory(tell).read("service:lis").expect(f"start soak {LAB}").read("service:lis", times=2)
    interval_s = story.state.estate.interval_us["service:lis"] / SECOND
    assert "stale service:lis" not in story.later(2 * interval_s).pending(LAB)
    assert "stale service:lis" in story.later(0.000001).pending(LAB)


def test_a_host_found_infected_in_service_carries_its_service_no_longer(tell: Tell) -> None:
    story = laboratory(tell).read("service:lis").expect(f"start soak {LAB}")
    story.verdicts("lis-1", "analyst-3", verdict="INFECTED").expect("ask lis-1 network", f"break soak {LAB}")
    story.read("service:lis", times=9).nothing()
    assert (story.lacks(LAB), story.state.up) == (["service lis"], [False])


def test_a_post_found_infected_counts_at_its_gate_no_longer(tell: Tell) -> None:
    story = tell(with_posts(1)).begun().in_service("lis-1", "ws-1").read("service:lis").expect(f"start soak {LAB}")
    story.verdicts("ws-1", "analyst-3", verdict="INFECTED").expect("ask ws-1 network", f"break soak {LAB}")
    assert story.lacks(LAB) == ["posts 0 of 1 at north"]


def test_a_hold_for_an_exception_that_ended_ends_with_the_edge_between_the_waves(tell: Tell) -> None:
    services = (service("files"), service("lis", "laboratory"))
    content = hospital(server("files-1", "north", "files"), server("lis-1", "north", "lis"), services=services)
    story = tell(content).begun().inspected("files-1").sweep().whatever()
    until_us = story.now_us + 600_000_000
    story.order("host.exception", "files-1", "operator-1", "crisis-1", until_us=until_us).whatever()
    story.verdicts("files-1", "analyst-1").expect("issue files-1/reconnect/1").passed("foundations")
    story.at(700).whatever()
    assert story.state.waves[story.wave(LAB)].holds.keys() == {"owed:files-1"}
    story.order("wave.after-removed", LAB, "operator-1", "crisis-1", after="foundations")
    story.expect(f"unhold {LAB} owed:files-1")


def test_a_recall_of_a_member_the_quorum_needs_breaks_the_soak(tell: Tell) -> None:
    story = laboratory(tell).read("service:lis").expect(f"start soak {LAB}")
    story.order("host.recall", "lis-1", "operator-1", "crisis-1", stops=["lis"]).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1").expect(f"break soak {LAB}", "issue lis-1/inspect/2")
    assert story.lacks(LAB) == ["service lis"]


def test_a_gate_nobody_launched_stays_shut_even_if_all_is_well(tell: Tell) -> None:
    story = laboratory(tell)
    story.state.waves[0].launchers = ()
    story.read("service:lis", times=9).nothing()
    story.state.waves[0].launchers = ("operator-1",)


def test_two_thirds_of_the_posts_of_a_site_are_enough(tell: Tell) -> None:
    story = tell(with_posts(3)).begun().in_service("lis-1", "ws-1").read("service:lis").nothing()
    assert story.lacks(LAB) == ["posts 1 of 2 at north"]
    story.in_service("ws-2")
    assert story.lacks(LAB) == []


def test_a_post_that_fails_counts_again_after_as_many_pass_as_a_release_asks(tell: Tell) -> None:
    story = tell(with_posts(1)).begun().in_service("lis-1", "ws-1").read("service:lis").expect(f"start soak {LAB}")
    story.read("host:ws-1", "FAIL").expect(f"break soak {LAB}").read("host:ws-1").nothing()
    assert story.lacks(LAB) == ["posts 0 of 1 at north"]
    story.read("host:ws-1").expect(f"start soak {LAB}")


def test_a_post_switched_off_at_night_still_counts(tell: Tell) -> None:
    story = tell(with_posts(1)).begun().in_service("lis-1", "ws-1").read("host:ws-1", "UNKNOWN").nothing()
    story.later(DAY_S).read("service:lis").expect(f"start soak {LAB}")


def test_a_post_stops_counting_when_nobody_saw_it_pass_for_too_long(tell: Tell) -> None:
    story = tell(with_posts(1)).begun().in_service("lis-1", "ws-1").later(2 * DAY_S + 1).read("service:lis").nothing()
    assert story.lacks(LAB) == ["posts 0 of 1 at north"]
    story.read("host:ws-1").expect(f"start soak {LAB}")


def test_a_post_that_counted_at_its_gate_stops_counting_too_when_nobody_saw_it_pass_for_too_long(tell: Tell) -> None:
    story = tell(with_posts(1)).begun().in_service("lis-1", "ws-1").read("service:lis").expect(f"start soak {LAB}")
    story.later(2 * DAY_S - 1.9).read("service:lis").nothing()
    assert story.lacks(LAB) == ["posts 0 of 1 at north"], "it is two days and a tenth of a second ago"


def test_a_post_that_passes_every_day_counts_as_long_as_its_gate_is_open(tell: Tell) -> None:
    story = tell(with_posts(1)).begun().in_service("lis-1", "ws-1")
    records = len(story.records)
    for _ in range(5):
        story.later(DAY_S // 2).read("host:ws-1").nothing().later(DAY_S // 2 + 1).read("host:ws-1").nothing()
    assert len(story.records) - records == 5, "one record a day is enough"
    story.read("service:lis").expect(f"start soak {LAB}")


def test_posts_that_are_gone_for_good_leave_the_count_but_never_the_last_one(tell: Tell) -> None:
    story = tell(with_posts(3)).begun().in_service("lis-1").read("service:lis").nothing()
    assert story.lacks(LAB) == ["posts 0 of 2 at north"]
    for name, lack in (
        ("ws-1", "posts 0 of 2 at north"),
        ("ws-2", "posts 0 of 1 at north"),
        ("ws-3", "posts 0 of 1 at north"),
    ):
        assert story.excluded(name).lacks(LAB) == [lack]


def test_an_interface_is_judged_at_the_gate_where_its_second_end_comes_out(tell: Tell) -> None:
    story = tell(small_estate()).begun()
    for wave in ("foundations", LAB, "radiology/slice"):
        story.passed(wave)
    story.in_service("ehr-1", "ehr-ws-1", "ehr-ws-2").read("service:ehr").nothing()
    assert story.lacks("medical-records/slice") == ["unread interface:lis-to-ehr"]
    story.read("interface:lis-to-ehr").expect("start soak medical-records/slice")
    story.read("interface:lis-to-ehr", "FAIL").expect("break soak medical-records/slice")


def test_the_next_wave_is_released_when_the_gate_before_it_passed(tell: Tell) -> None:
    content = hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"),
        services=(service("files"), service("lis", "laboratory")),
    )  # fmt: skip
    story = tell(content).begun().in_service("files-1").inspected("lis-1").sweep().whatever()
    story.verdicts("lis-1", "analyst-1", "analyst-2").nothing().read("service:files").expect("start soak foundations")
    story.read("service:files", times=4).nothing().read("service:files").nothing()
    story.read("service:files").expect("pass gate foundations", "issue lis-1/reconnect/1")


def test_inspections_wait_for_the_horizon_and_restores_do_not(tell: Tell) -> None:
    content = hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"),
        services=(service("files"), service("lis", "laboratory")),
    )  # fmt: skip
    story = tell(content).begun().finish("lis-1/restore/1").nothing()
    story.bring("files-1", Stage.RELEASED).read("host:files-1").nothing()
    story.read("host:files-1").expect("enter service files-1", "issue lis-1/inspect/1")
    assert story.state.waves[story.wave(LAB)].horizon, "every service of the open gate before it is in service"


def relapsed(tell: Tell) -> Story:
    """The gate of the foundations passed; the second server of the file service and the laboratory wait clean."""
    content = hospital(
        server("files-1", "north", "files"), server("files-2", "south", "files"), server("lis-1", "north", "lis"),
        services=(service("files"), service("lis", "laboratory", needs=Needs(reconnect=("files",)))),
    )  # fmt: skip
    story = tell(content).signed()
    story.order("fact.t0", "t0", "analyst-1", "it-director", at_us=START_US - 1).isolated().launched()
    story.bring("files-1", Stage.INSPECTED).bring("files-2", Stage.INSPECTED)
    for name in ("files-1", "files-2"):
        story.sweep("north").sweep("south").verdicts(name, "analyst-1", "analyst-2")
    story.order("host.exclude", "files-2", "operator-1", "crisis-1").expect("exclude files-2")
    story.order("fact.breach_closed", "breach_closed", "analyst-1", "it-director").expect("issue files-1/reconnect/1")
    return story.passed("foundations").inspected("lis-1").sweep().whatever()


def test_a_relapse_holds_the_waves_that_need_the_service_until_it_passes_again(tell: Tell) -> None:
    story = relapsed(tell).read("service:files", "FAIL").expect(f"hold {LAB} relapse:files")
    story.verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    story.read("service:files").expect(f"unhold {LAB} relapse:files", "issue lis-1/reconnect/1")


def test_a_relapse_never_holds_the_cure(tell: Tell) -> None:
    content = hospital(
        server("dns-1", "north", "dns"), server("dns-2", "south", "dns"),
        server("files-1", "north", "files"), server("files-2", "south", "files"),
        services=(service("dns"), service("files", needs=Needs(reconnect=("dns",)))),
        splits=(Split(wave="foundations", name="south", sites=("south",)),),
    )  # fmt: skip
    story = tell(content).begun().passed("foundations").inspected("dns-2", "files-2").sweep("south").whatever()
    story.read("service:dns", "FAIL").expect("hold foundations/south relapse:dns")
    story.verdicts("files-2", "analyst-1", "analyst-2").nothing()
    story.verdicts("dns-2", "analyst-1", "analyst-2").expect("issue dns-2/reconnect/1")
    story.read("service:dns").expect("unhold foundations/south relapse:dns", "issue files-2/reconnect/1")


def test_a_relapse_under_way_stops_the_reconnects_that_have_not_begun(tell: Tell) -> None:
    story = relapsed(tell).verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1")
    story.read("service:files", "FAIL").expect(f"hold {LAB} relapse:files", "cancel lis-1/reconnect/1")
    assert story.reason() == f"hold {LAB}: relapse:files"


def test_a_service_that_was_dropped_relapses_no_more(tell: Tell) -> None:
    story = relapsed(tell).read("service:files", "FAIL").expect(f"hold {LAB} relapse:files")
    story.order("service.drop-need", "files", "operator-1", "crisis-1").expect(f"unhold {LAB} relapse:files")


def test_a_wave_where_too_many_fail_for_good_holds_itself_until_it_is_resumed(tell: Tell) -> None:
    names = [f"lis-{number}" for number in range(1, 8)]
    hosts = tuple(server(name, "north", "lis") for name in names)
    timing = PRACTICE_TIMING.model_copy(update={"tries": 1})
    classes = (plain_class("server", strategies=("restore",)),)
    story = tell(hospital(*hosts, classes=classes, timing=timing)).begun()
    for name in names[:FAILURES_MIN]:
        story.bring(name, Stage.RESTORING).finish(f"{name}/restore/1", "failed").whatever()
        assert story.stage(name) is Stage.FAILED
    assert not story.state.waves[0].holds
    story.bring(names[3], Stage.RESTORING).finish(f"{names[3]}/restore/1", "failed")
    assert f"hold {LAB} failures" in [f"hold {LAB} {getattr(one, 'cause', '')}" for one in story.last]
    story.whatever().inspected("lis-5").sweep().whatever().verdicts("lis-5", "analyst-1", "analyst-2").nothing()
    story.order("wave.resume", LAB, "operator-1").expect("issue lis-5/reconnect/1")
    assert story.state.waves[0].failures == 0


def test_a_failed_post_is_replaced_by_the_next_one_of_its_class_site_and_function(tell: Tell) -> None:
    story = tell(small_estate()).begun().passed("foundations")
    story.excluded("lab-ws-1")
    number = story.wave(LAB)
    assert story.state.posts[number] == [[story.host("lab-ws-2")]]
    assert story.state.wave_of[story.host("lab-ws-2")] == number
    assert story.state.posts[story.wave("laboratory/rest-1")] == [[]]
    assert story.host("lab-ws-2") in story.state.members(number)
    story.excluded("lab-ws-2")
    assert story.state.posts[number] == [[story.host("lab-ws-3")]]
    story.excluded("lab-ws-3")
    assert story.state.posts[number] == [[story.host("lab-ws-3")]], "nobody is left, so its place stays its own"
    assert story.lacks(LAB)[-1] == "posts 0 of 1 at north"


def test_a_gate_whose_only_post_moved_to_another_wave_asks_for_none(tell: Tell) -> None:
    story = tell(small_estate()).begun()
    story.excluded("lab-ws-1")
    assert story.lacks("laboratory/rest-1") == []


# what writes


def proven_by_writing() -> Content:
    """The lone laboratory server is proven by a test order, too, which leaves something behind."""
    return with_checks(
        hospital(), check("lis-orders", "L3", service="lis", probe="hl7", params={"ask": "order", "code": "K"})
    )


AGREED: dict[str, Json] = {"owner": "head", "patient": "TEST-1", "routes": "none to wards", "cleanup": "the vendor"}
SEEN: dict[str, Json] = {"witness": "Dr Test", "case": "sample 4711", "minute": "10:41"}
WITNESS = "lis/witness-lis-orders"


def test_where_nobody_agreed_that_a_probe_writes_two_who_saw_a_real_case_are_asked_for(tell: Tell) -> None:
    story = tell(proven_by_writing()).begun()
    assert WITNESS not in story.state.tasks
    story.in_service("lis-1").read("service:lis", "UNKNOWN").expect(f"start soak {LAB}")
    assert story.state.tasks[WITNESS].status == "open", "its check reads UNKNOWN until somebody has seen it"
    assert story.state.estate.tasks[WITNESS].spec.by == "crisis"
    assert "agreement" in [one.code for one in gate_why(story.state, story.wave(LAB), story.now_us)]
    story.refuses("orders.words", lambda: story.order("task.done", WITNESS, "crisis-1"))
    story.order("task.done", WITNESS, "crisis-1", **SEEN).nothing()
    story.refuses("tasks.two-persons", lambda: story.order("task.done", WITNESS, "crisis-1", **SEEN))
    story.order("task.done", WITNESS, "analyst-1").nothing()
    assert task_stands(story.state, WITNESS, story.now_us)
    assert story.state.tasks[WITNESS].seen == "Dr Test, sample 4711, 10:41"
    assert "agreement" not in [one.code for one in gate_why(story.state, story.wave(LAB), story.now_us)]
    assert not task_stands(story.state, WITNESS, story.now_us + WITNESSED_S * SECOND)
    story.later(WITNESSED_S).send(Woke()).whatever()
    assert story.state.tasks[WITNESS].status == "open", "a day later it must be seen again"


def test_an_agreement_of_the_owner_and_its_end_decide_whether_anybody_must_witness(tell: Tell) -> None:
    story = tell(proven_by_writing()).begun().in_service("lis-1").read("service:lis", "UNKNOWN").whatever()
    assert WITNESS in story.state.tasks
    story.order("fact.agreement", "lis", "crisis-1", "operator-1", **AGREED).nothing()
    assert WITNESS not in story.state.tasks
    assert story.state.facts["agreement:lis"]["patient"] == "TEST-1"
    assert "agreement" not in [one.code for one in gate_why(story.state, story.wave(LAB), story.now_us)]
    story.order("fact.withdraw", "agreement:lis", "analyst-1").expect(f"open task {WITNESS}")


def test_what_writes_is_asked_from_the_launch_until_the_gate_has_passed(tell: Tell) -> None:
    story = tell(proven_by_writing()).opened()
    assert not writes_now(story.state, "service:lis")
    story.launched()
    assert writes_now(story.state, "service:lis")
    story.in_service("lis-1").passed(LAB)
    assert not writes_now(story.state, "service:lis")
    assert not writes_now(story.state, "service:unheard-of")


def test_the_gate_of_the_wave_that_judges_a_link_has_it_witnessed_and_an_outside_end_is_never_written_to() -> None:
    content = small_estate()
    links = {link.id: link.target for link in content.inventory.interfaces}
    order = [
        check(f"{link}-ordered", "L3", interface=link, probe="hl7", params={"ask": "order", "code": "K"})
        for link in links
    ]
    content = with_checks(content, *order)
    estate = Estate(content, derive(content))
    outside = {service.id for service in content.inventory.services if service.kind == "outside"}
    assert {name.removesuffix("-ordered") for name in estate.witness_task} == {
        link for link, target in links.items() if target not in outside
    }
    for key in estate.witness_task.values():
        task = estate.tasks[key]
        (judging,) = estate.gates_of_subject[task.subject]
        assert estate.wave_of_task(task) == judging
        assert [key in wave.tasks for wave in estate.waves] == [
            number == judging for number in range(len(estate.waves))
        ]


# flapping


def test_a_service_that_falls_and_comes_back_during_a_soak_is_said_to_flap(tell: Tell) -> None:
    story = laboratory(tell).read("service:lis").expect(f"start soak {LAB}")
    assert falls(story.state, "service:lis", story.now_us) == 0
    story.read("service:lis", "FAIL").expect(f"break soak {LAB}")
    assert falls(story.state, "service:lis", story.now_us) == 0, "it may simply be broken"
    story.read("service:lis").expect(f"start soak {LAB}")
    assert falls(story.state, "service:lis", story.now_us) == 1
    story.read("service:lis", "UNKNOWN").nothing().read("service:lis", "FAIL").whatever()
    assert falls(story.state, "service:lis", story.now_us) == 2
    told = gate_why(story.state, story.wave(LAB), story.now_us)
    assert ("flaps", "service:lis") in [(one.code, one.subject) for one in told]
    assert "it fell from PASS 2 times" in next(one.sentence for one in told if one.code == "flaps")
    assert "It flaps" in put(story.state, ("need", "lis")).sentence
    assert falls(story.state, "service:lis", story.now_us + FLAPS_US + SECOND * 60) == 0
    story.later(3600).read("service:lis").whatever().read("service:lis", "FAIL").whatever()
    assert story.state.readings["service:lis"].falls == 1, "what it did hours ago is forgotten"
