"""What invented disasters found in the core, each told again as a short story with the seed that showed it first."""

from __future__ import annotations

from orchestrator.decision.events import Judged
from orchestrator.decision.stages import Stage
from orchestrator.inventory.model import Interface, Needs, Task
from orchestrator.plans.model import GateRule
from tests.estates import check, names, server, service, with_checks, with_hosts, with_interfaces
from tests.forged_histories import heard
from tests.storyline import SECOND, Story, Tell, hospital
from tests.test_decision_lots import POSTS, bench, made, opened

PAIR = ("operator-1", "crisis-1")
LAB = "laboratory/slice"


def test_a_relapse_s_hold_ends_where_a_split_leaves_a_wave_that_needs_the_service_no_more(tell: Tell) -> None:
    """Seed 39: the rest of the wave was held for ever by a service that nobody in it needed."""
    content = hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"), server("web-1", "north", "web"),
        services=(
            service("files"),
            service("lis", "laboratory", needs=Needs(reconnect=("files",))),
            service("web", "laboratory"),
        ),
    )  # fmt: skip
    story = tell(content).begun().passed("foundations").inspected("web-1").sweep().whatever()
    story.read("service:files", "FAIL").expect(f"hold {LAB} relapse:files")
    story.verdicts("web-1", "analyst-1", "analyst-2").nothing()
    story.order("wave.split", LAB, *PAIR, name="lis", services=["lis"], sites=[])
    story.expect(f"hold {LAB}/lis relapse:files", f"unhold {LAB} relapse:files", "issue web-1/reconnect/1")


def test_a_gate_judges_no_interface_that_lost_an_end_to_a_dropped_need(tell: Tell) -> None:
    """Seed 144: the end's only host was excluded, two persons dropped the need, and the gate waited for the link."""
    link = Interface(id="lis-to-files", name=names("Results"), source="lis", target="files", protocol="hl7")
    content = hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"),
        services=(service("files", "laboratory"), service("lis", "laboratory")),
    )  # fmt: skip
    content = with_checks(with_interfaces(content, link), check("results-arrive", "L3", interface="lis-to-files"))
    story = tell(content).begun().excluded("files-1").in_service("lis-1").read("service:lis", times=5).nothing()
    assert story.lacks(LAB) == ["service files", "unread interface:lis-to-files"]
    story.order("service.drop-need", "files", *PAIR).expect(f"start soak {LAB}")
    story.read("service:lis", times=5).at(1).expect(f"pass gate {LAB}")
    assert story.records[-1][2]["subjects"] == ["service:lis"]


def test_a_gate_waits_for_no_task_of_a_service_whose_need_was_dropped(tell: Tell) -> None:
    """Seed 16: nobody could verify the analysers behind a service that had no host any more, and the gate waited."""
    verified = Task(id="verified", name=names("Verify the analysers"), by="vendor", confirm="check:middleware-works")
    content = hospital(
        server("middleware-1", "north", "middleware"), server("lis-1", "north", "lis"),
        services=(service("middleware", "laboratory", tasks=(verified,)), service("lis", "laboratory")),
    )  # fmt: skip
    story = tell(content).begun().excluded("middleware-1").in_service("lis-1").read("service:lis", times=5).nothing()
    story.order("service.drop-need", "middleware", *PAIR).expect(f"start soak {LAB}")
    assert story.pending(LAB)[-1].startswith("soak ")
    story.read("service:lis", times=5).at(1).expect(f"pass gate {LAB}")
    assert "middleware/verified" not in story.state.tasks
    assert story.stage("middleware-1") is Stage.EXCLUDED


def test_two_persons_confirm_what_a_check_of_a_dropped_service_can_confirm_no_more(tell: Tell) -> None:
    """Beside seed 16: the analysers deliver to a laboratory system that two persons gave up; no check could say so."""
    verified = Task(id="verified", name=names("Verify the analysers"), by="vendor", confirm="check:results-arrive")
    link = Interface(id="results", name=names("Results"), source="middleware", target="lis", protocol="hl7")
    content = hospital(
        server("middleware-1", "north", "middleware"), server("lis-1", "north", "lis"),
        services=(service("middleware", "laboratory", tasks=(verified,)), service("lis", "laboratory")),
    )  # fmt: skip
    content = with_checks(with_interfaces(content, link), check("results-arrive", "L3", interface="results"))
    story = tell(content).begun().excluded("lis-1").in_service("middleware-1").read("service:middleware").nothing()
    story.order("service.drop-need", "lis", *PAIR).expect(f"start soak {LAB}", "open task middleware/verified")
    story.order("task.done", "middleware/verified", "technician-1").nothing()
    assert story.pending(LAB)[:2] == ["passes service:middleware", "task middleware/verified"]
    story.order("task.done", "middleware/verified", "operator-1").nothing()
    story.read("service:middleware", times=5).at(1).expect(f"pass gate {LAB}")
    assert heard(story).broken == []


def test_a_gate_asks_for_no_interface_whose_end_a_split_put_behind_it(tell: Tell) -> None:
    """Seed 5785: radiology waited for its link to the dispensary, which was set apart and waited for radiology."""
    link = Interface(id="orders", name=names("Orders"), source="rx", target="ris", protocol="hl7")
    content = hospital(
        server("rx-1", "north", "rx"), server("web-1", "north", "web"), server("ris-1", "north", "ris"),
        services=(service("rx", "pharmacy"), service("web", "pharmacy"), service("ris", "radiology")),
        order=("pharmacy", "radiology"), pinned=(),
    )  # fmt: skip
    content = with_checks(with_interfaces(content, link), check("orders-arrive", "L3", interface="orders"))
    story = tell(content).begun().in_service("ris-1").read("service:ris", times=5).nothing()
    assert story.lacks("radiology/slice") == ["unread interface:orders"]
    story.order("wave.split", "pharmacy/slice", *PAIR, name="later", services=["rx"], sites=[])
    story.expect("start soak radiology/slice")
    story.read("service:ris", times=5).at(1).expect("pass gate radiology/slice")
    gates = {wave.name: wave.gate.interfaces for wave in story.state.estate.plan.waves}
    assert gates["pharmacy/slice/later"] == ("orders",)
    assert gates["radiology/slice"] == ()


def test_a_launched_gate_keeps_an_interface_that_no_other_gate_would_judge(tell: Tell) -> None:
    """Beside seed 5785: the wave set apart waives the link by its rule, so somebody must still ask for it."""
    link = Interface(id="orders", name=names("Orders"), source="rx", target="ris", protocol="hl7")
    content = hospital(
        server("rx-1", "north", "rx"), server("web-1", "north", "web"), server("ris-1", "north", "ris"),
        services=(service("rx", "pharmacy"), service("web", "pharmacy"), service("ris", "radiology")),
        order=("pharmacy", "radiology"), pinned=(),
        gates={"pharmacy/slice/later": GateRule(without_interfaces=("orders",))},
    )  # fmt: skip
    content = with_checks(with_interfaces(content, link), check("orders-arrive", "L3", interface="orders"))
    story = tell(content).begun().in_service("ris-1").read("service:ris", times=5).nothing()
    story.order("wave.split", "pharmacy/slice", *PAIR, name="later", services=["rx"], sites=[]).nothing()
    assert story.lacks("radiology/slice") == ["unread interface:orders"]


def test_an_interface_goes_to_a_gate_that_does_not_wait_for_itself(tell: Tell) -> None:
    """Seeds 10182 and 12388: the laboratory waited for its link to the pharmacy, which waited for the laboratory."""
    link = Interface(id="orders", name=names("Orders"), source="lis", target="rx", protocol="hl7")
    content = hospital(
        server("lis-1", "north", "lis"), server("mw-1", "north", "mw"), server("rx-1", "north", "rx"),
        services=(
            service("lis", "laboratory"),
            service("mw", "laboratory"),
            service("rx", "pharmacy", needs=Needs(reconnect=("mw",))),
        ),
        order=("laboratory", "pharmacy"), pinned=(),
    )  # fmt: skip
    content = with_checks(with_interfaces(content, link), check("orders-arrive", "L3", interface="orders"))
    story = tell(content).begun()
    story.order("functions.order", "functions", *PAIR, functions=["pharmacy", "laboratory"]).whatever()
    story.order("wave.split", LAB, *PAIR, name="later", services=["mw"], sites=[]).whatever()
    gates = {wave.name: wave.gate.interfaces for wave in story.state.estate.plan.waves}
    assert gates[LAB] == (), "rx needs mw, and mw waits for this gate"
    assert gates["pharmacy/slice"] == ("orders",)
    story.passed(LAB)


def two_lis(tell: Tell) -> Story:
    """A laboratory system with a host at each of two sites, of which one is enough."""
    hosts = (server("lis-1", "north", "lis"), server("lis-2", "south", "lis"), server("web-1", "north", "web"))
    return tell(hospital(*hosts, services=(service("lis", "laboratory"), service("web", "laboratory")))).begun()


def test_a_site_is_not_set_apart_with_the_last_hosts_that_the_gate_asks_for(tell: Tell) -> None:
    """Seed 10821: the other hosts of the service were given up, and its gate waited for those set apart behind it."""
    story = two_lis(tell).excluded("lis-1")
    refused = story.refuses(
        "waves.quorum", lambda: story.order("wave.split", LAB, *PAIR, name="south", services=[], sites=["south"])
    )
    assert refused.sentence == (
        "lis needs 1 of its hosts for the gate of laboratory/slice and would keep 0: the others come out behind that "
        "gate. Leave more hosts with it, or lower its k first."
    )


def test_hosts_set_apart_behind_a_gate_are_no_spare_for_a_host_that_is_given_up(tell: Tell) -> None:
    """Beside seed 10821: the site was set apart first, then the last host before the gate was left out."""
    story = two_lis(tell).order("wave.split", LAB, *PAIR, name="south", services=[], sites=["south"]).whatever()
    story.refuses("hosts.quorum", lambda: story.order("host.exclude", "lis-1", *PAIR))
    story.excluded("lis-1").order("service.drop-need", "lis", *PAIR).whatever()
    story.passed(LAB)
    assert story.state.candidates(story.state.estate.service_number["lis"]), "now lis-2 can come out"


def test_a_gate_that_has_passed_asks_for_no_hosts_when_content_changes(tell: Tell) -> None:
    """Beside seed 10821: the part set apart holds the only hosts left, and nothing waits for that gate any more."""
    story = two_lis(tell).order("wave.split", LAB, *PAIR, name="south", services=[], sites=["south"]).whatever()
    story.passed(LAB).order("host.recall", "lis-1", *PAIR, stops=["lis"]).expect("issue lis-1/isolate/1")
    story.finish("lis-1/isolate/1").whatever()
    story.excluded("lis-1")
    content = story.state.estate.content
    story.propose(with_hosts(content, server("web-2", "south", "web")), *PAIR).whatever()
    assert "web-2" in story.state.estate.hosts


def test_an_infected_host_takes_back_what_two_said_of_its_lot_one_after_the_other(tell: Tell) -> None:
    """Seed 3011: of two who had signed for it the core knew the last one only, and counted the first as a reader."""
    story = opened(bench(tell)).order("wave.hold", "laboratory/slice", "operator-1").nothing()
    made(story, *POSTS)

    def signed_for(person: str) -> None:
        for name in POSTS[:2]:
            story.verdicts(name, "analyst-1", "analyst-2").nothing()
        inspections = {name: f"{name}/inspect/1" for name in POSTS}
        ends_us = story.now_us + 86_400 * SECOND
        story.send(Judged("CLEAN", inspections, person, story.state.indicator_set, ends_us, "blob")).nothing()

    signed_for("analyst-3")
    story.order("indicators.force", "6" * 64, "analyst-1", "forensic-lead").nothing()
    signed_for("analyst-1")
    story.rematched(*POSTS[2:]).nothing()
    assert [one.person for one in story.state.verdicts[story.host("ws-3")]] == ["analyst-3", "analyst-1"]
    story.verdicts("ws-4", "analyst-2", verdict="INFECTED").whatever()
    assert story.state.verdicts[story.host("ws-3")] == []
