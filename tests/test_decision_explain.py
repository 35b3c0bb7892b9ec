"""Why a host or a gate waits, in words a tired person can act on."""

from __future__ import annotations

from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Reading
from orchestrator.decision.explain import gate_why, put, standing, why
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.inventory.model import Needs
from orchestrator.plans.model import Pool
from orchestrator.plans.waves import derive
from tests.estates import server, service, small_estate, with_pools
from tests.storyline import T0_US, Story, Tell, hospital, plain_class

LAB = "laboratory/slice"


def codes(story: Story, host: str = "lis-1") -> list[str]:
    """What stands in the way of a host, in codes."""
    return [reason.code for reason in why(story.state, story.host(host), story.now_us)]


def gate_codes(story: Story) -> list[str]:
    """What stands in the way of the laboratory's gate, in codes."""
    return [reason.code for reason in gate_why(story.state, story.wave(LAB), story.now_us)]


def test_a_service_that_is_missing_says_on_which_hosts_somebody_must_work(tell: Tell) -> None:
    lis = [server(f"lis-{number}", "north", "lis") for number in range(1, 6)]
    story = tell(hospital(*lis)).begun()
    reason = put(story.state, ("need", "lis"))
    assert "lis" in reason.sentence
    assert reason.who == "whoever works on lis-1, lis-2, lis-3 and 2 more"
    story.in_service("lis-1")
    assert put(story.state, ("service", "lis")).who == "whoever works on lis-2, lis-3, lis-4 and 1 more"
    for number in range(2, 6):
        story.in_service(f"lis-{number}")
    assert put(story.state, ("need", "lis")).who == "whoever runs it: its hosts are in service"


def test_an_outside_service_that_is_closed_names_those_who_sign_it_open() -> None:
    content = small_estate()
    state = State(Estate(content, derive(content)))
    assert put(state, ("need", "reference-lab")).who.startswith("an operator with an analyst or the IT director")


def test_a_host_explains_itself_at_every_stage_of_its_life(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", cleanliness="offline"),))).opened()
    assert codes(story) == ["isolation"]
    story.finish("north/isolate/1").whatever()
    assert codes(story) == ["under-way"]
    story.bring("lis-1", Stage.INSPECTED)
    assert codes(story) == ["quarantine", "verdicts", "launch"]
    story.launched().released("lis-1")
    assert codes(story) == ["owes", "host-check"]
    story.in_service("lis-1").verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    assert codes(story) == []


def test_who_spoke_with_a_recalled_host_is_told_who_lets_it_go_on(tell: Tell) -> None:
    services = (service("backup"), service("lis", "laboratory", needs=Needs(restore=("backup",))))
    hosts = (server("backup-1", "north", "backup"), server("lis-1", "north", "lis"))
    story = tell(hospital(*hosts, services=services)).begun().passed("foundations").inspected("lis-1").whatever()
    story.verdicts("backup-1", "analyst-3", verdict="SUSPECT").whatever().sweep(answered=("lis-1",)).whatever()
    story.finish("lis-1/isolate/1").whatever().inspected("lis-1")
    told = {reason.code: reason for reason in why(story.state, story.host("lis-1"), story.now_us)}
    assert told["reach"].sentence == "It spoke with backup-1, which is recalled or may have to be."
    assert "thaw --reach backup-1" in told["reach"].who
    assert "a host that was cut off there answered" in told["alarm"].sentence
    assert told["alarm"].subject == "site:north"


def test_a_question_to_a_person_is_said_once(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", preservation="required"),))).begun()
    for number, wait_s in ((1, 1), (2, 2)):
        story.finish(f"lis-1/preserve/{number}", "failed").nothing().at(wait_s).whatever()
    story.finish("lis-1/preserve/3", "failed").expect("ask lis-1 host")
    assert codes(story) == ["asks", "not-before"]


def test_who_is_gone_says_who_can_bring_it_back(tell: Tell) -> None:
    story = tell(hospital(classes=(plain_class("server", strategies=("restore",)),))).begun()
    for _ in range(2):
        story.finish(story.state.lanes[0][0], restore_point_us=T0_US).whatever()
    assert codes(story) == ["failed"]
    assert codes(story.excluded("lis-1")) == ["excluded"]


def test_a_host_without_any_blocker_waits_for_a_slot(tell: Tell) -> None:
    content = with_pools(hospital(server("lis-1", "north", "lis"), server("lis-2", "north", "lis")),
                         Pool(id="backup-streams", name="Streams", size=1))  # fmt: skip
    story = tell(content).begun()
    assert [reason.subject for reason in why(story.state, story.host("lis-2"), story.now_us)] == ["backup-streams"]


def test_a_service_one_would_like_to_have_is_named_and_keeps_nobody_waiting(tell: Tell) -> None:
    content = hospital(server("lis-1", "north", "lis"), server("ehr-1", "north", "ehr"), services=(
        service("ehr", "laboratory"), service("lis", "laboratory", needs=Needs(soft=("ehr",)))))  # fmt: skip
    story = tell(content).begun().inspected("lis-1").sweep().whatever()
    assert codes(story) == ["verdicts", "soft"]
    assert why(story.state, 0, story.now_us)[1].sentence == "It will work less well without ehr; nothing waits for it."
    story.verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1")


def test_a_host_that_the_plan_leaves_off_says_so(tell: Tell) -> None:
    hosts = (server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))
    assert codes(tell(hospital(*hosts, leave_off=("lis-2",))).begun(), "lis-2") == ["left-off"]


def test_a_gate_explains_what_it_lacks_then_what_it_waits_for(tell: Tell) -> None:
    story = tell().opened().isolated()
    assert gate_codes(story) == ["launch"]
    story.launched().in_service("lis-1")
    assert gate_codes(story) == ["unread"]
    story.read("service:lis").expect(f"start soak {LAB}")
    assert gate_codes(story) == ["passes", "soak"]
    story.read("service:lis", times=5).nothing().at(1).expect(f"pass gate {LAB}")
    assert gate_codes(story) == []


def test_a_host_stands_somewhere_in_a_few_words(tell: Tell) -> None:
    story = tell(hospital(*(server(f"lis-{number}", "north", "lis") for number in (1, 2)), leave_off=("lis-2",)))
    story.begun()
    assert standing(story.state, 0, story.now_us) == {
        "host": "lis-1", "stage": "restoring", "connection": "quarantined", "strategy": "restore",
        "wave": LAB, "verdicts_missing": 2,
    }  # fmt: skip
    assert standing(story.state, 1, story.now_us)["wave"] == ""


def test_a_service_that_fails_is_told_with_the_cause_its_probe_saw(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1").read("service:lis").whatever()
    story.send(
        Reading("service:lis", "FAIL", "The DICOM node at 10.1.1.1:104 greets, and {its} database is dead.")
    ).whatever()
    (told,) = (one for one in gate_why(story.state, story.wave(LAB), story.now_us) if one.code == "fails")
    assert told.sentence == "service:lis reads FAIL. The DICOM node at 10.1.1.1:104 greets, and {its} database is dead."
    assert "database is dead" in put(story.state, ("need", "lis")).sentence
    story.read("service:lis").whatever()
    assert "dead" not in put(story.state, ("need", "lis")).sentence


def test_a_wave_that_has_passed_says_which_of_its_services_no_longer_pass_or_flap(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1").passed(LAB)
    assert gate_codes(story) == []
    story.read("service:lis", "FAIL").whatever()
    assert gate_codes(story) == ["fails"]
    story.read("service:lis", "UNKNOWN").whatever()
    assert gate_codes(story) == ["unknown"]
    story.read("service:lis").whatever()
    assert gate_codes(story) == ["flaps"], "it came back, and nobody knows why it fell"
    story.later(3601).read("service:lis").whatever()
    assert gate_codes(story) == []
    story.read("service:lis", "FAIL").order("service.drop-need", "lis", "operator-1", "it-director").whatever()
    assert gate_codes(story) == []
