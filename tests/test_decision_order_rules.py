"""What must hold of an order's subject before it is admitted, kind by kind."""

from __future__ import annotations

import pytest

from orchestrator.canonical import Json
from orchestrator.decision.order_rules import RULES
from orchestrator.decision.orders import KINDS
from orchestrator.decision.stages import Stage
from orchestrator.plans.model import Content
from tests.estates import server, service, workstation
from tests.storyline import SECOND, T0_US, Story, Tell, hospital, plain_class

LAB = "laboratory/slice"
AGREED: dict[str, Json] = {"owner": "head", "patient": "TEST-1", "routes": "none to wards", "cleanup": "the vendor"}
TWO = hospital(
    server("files-1", "north", "files"), server("lis-1", "north", "lis"), server("lis-2", "south", "lis"),
    workstation("ws-1", "north", "laboratory"),
    services=(service("files"), service("lis", "laboratory"), service("lab", "laboratory", kind="outside")),
)  # fmt: skip


def four_posts() -> Content:
    """A laboratory with four posts that stop nothing when they go."""
    posts = tuple(workstation(f"ws-{number}", "north", "laboratory") for number in range(1, 5))
    return hospital(server("lis-1", "north", "lis"), *posts, posts_per_site=4)


def refused(story: Story, rule: str, kind: str, subject: str, **args: Json) -> str:
    """The sentence in which an order that a fitting person signs is refused."""
    person = {"operator": "operator-1", "analyst": "analyst-1", "forensic_lead": "forensic-lead", "crisis": "crisis-1"}
    who = next(person[role] for role in sorted(KINDS[kind][0], reverse=True) if role in person)
    return story.refuses(rule, lambda: story.order(kind, subject, who, **args)).sentence


def test_every_rule_belongs_to_a_kind_of_order() -> None:
    assert RULES.keys() <= KINDS.keys()


@pytest.mark.parametrize(
    "kind",
    ["host.retry", "host.exclude", "host.take-back", "host.declare", "host.recall", "host.isolate", "host.exception",
     "claim", "wave.launch", "wave.hold", "wave.resume", "wave.after-removed", "service.lower-k", "service.drop-need"],
)  # fmt: skip
def test_an_order_names_something_that_exists(tell: Tell, kind: str) -> None:
    refused(tell(TWO).opened(), "orders.subject", kind, "atlantis")


@pytest.mark.parametrize(
    ("rule", "kind", "subject", "args"),
    [
        ("waves.after", "wave.launch", LAB, {}),
        ("waves.after", "wave.after-removed", LAB, {"after": "atlantis"}),
        ("waves.after", "wave.after-removed", "foundations", {"after": LAB}),
        ("freeze.scope", "freeze", "site:atlantis", {}),
        ("freeze.scope", "freeze", "everything", {}),
        ("freeze.scope", "freeze", "host:atlantis", {}),
        ("freeze.scope", "freeze", "hosts", {"hosts": ["lis-1", "atlantis"]}),
        ("freeze.scope", "thaw", "site", {}),
        ("freeze.scope", "freeze", "hosts", {"hosts": [7]}),
        ("freeze.scope", "freeze", "reach:lis-1", {}),
        ("freeze.scope", "thaw", "reach:lis-1", {}),
        ("roster.form", "roster.add", "operator-9", {"person": {"id": "operator-9"}}),
        ("roster.form", "roster.add", "operator-9", {}),
        ("roster.person", "roster.revoke", "stranger", {}),
        ("hosts.strategy", "host.retry", "lis-1", {"strategy": "pray"}),
        ("hosts.retry", "host.retry", "lis-1", {}),
        ("hosts.exclude", "host.take-back", "lis-1", {}),
        ("hosts.declare", "host.declare", "lis-2", {}),
        ("hosts.declare", "host.declare", "lis-2", {"host_key": "ssh-ed25519 AAAA", "restore_point_us": "old"}),
        (
            "hosts.declare",
            "host.declare",
            "lis-2",
            {"host_key": "what the vendor wrote, somewhere", "restore_point_us": 1},
        ),
        ("hosts.recall", "host.recall", "lis-1", {}),
        ("exception.length", "host.exception", "lis-1", {}),
        ("exception.length", "host.exception", "lis-1", {"until_us": 5}),
        ("seats.full", "claim", "lis-1", {}),
        ("tasks.open", "task.done", "lis/unheard-of", {}),
        ("facts.t0", "fact.t0", "t0", {"at_us": 0}),
        ("facts.t0", "fact.t0", "t0", {"at_us": -1}),
        ("facts.t0", "fact.t0", "t0", {"at_us": 1 << 52}),
        ("facts.known", "fact.withdraw", "outside:lab", {}),
        ("facts.known", "fact.withdraw", "t0", {}),
        ("facts.outside", "fact.outside", "lis", {}),
        ("facts.outside", "fact.outside", "atlantis", {}),
        ("facts.waiver", "fact.waiver", "lis-1", {}),
        ("facts.waiver", "fact.waiver", "class:atlantis", {}),
        ("facts.waiver", "fact.waiver", "host:atlantis", {}),
        ("facts.accepted", "fact.accepted", "laboratory", {"owner": "head"}),
        ("facts.accepted", "fact.accepted", "laboratory/atlantis", {"owner": "head"}),
        ("facts.accepted", "fact.accepted", "chapel/north", {"owner": "head"}),
        ("orders.words", "fact.accepted", "laboratory/north", {}),
        ("facts.agreement", "fact.agreement", "lab", AGREED),
        ("facts.agreement", "fact.agreement", "atlantis", AGREED),
        ("orders.words", "fact.agreement", "lis", {**AGREED, "patient": ""}),
        ("orders.words", "fact.agreement", "lis", {**AGREED, "cleanup": 7}),
        ("services.quorum", "service.lower-k", "lis", {"k": 0}),
        ("services.quorum", "service.lower-k", "lis", {}),
        ("evidence.import", "evidence.import", "file", {}),
        ("evidence.import", "evidence.import", "file", {"hosts": {}, "tool": "t", "taken": "host"}),
        ("evidence.import", "evidence.import", "file", {"hosts": {"lis-1": "e"}, "tool": 1, "taken": "host"}),
        ("evidence.import", "evidence.import", "file", {"hosts": {"lis-1": "e"}, "tool": "t", "taken": "guessed"}),
        ("evidence.host", "evidence.import", "file", {"hosts": {"atlantis": "e"}, "tool": "t", "taken": "host"}),
        ("evidence.host", "evidence.import", "file", {"hosts": {"lis-1": 1}, "tool": "t", "taken": "host"}),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_changes_nothing(
    tell: Tell, rule: str, kind: str, subject: str, args: dict[str, Json]
) -> None:
    assert refused(tell(TWO).opened(), rule, kind, subject, **args)


def test_the_same_evidence_of_a_host_is_imported_once(tell: Tell) -> None:
    first = {"hosts": {"lis-1": "e"}, "tool": "ClamAV", "taken": "offline"}
    story = tell(TWO).opened().order("evidence.import", "file", "forensic-lead", **first).nothing()
    refused(story, "evidence.twice", "evidence.import", "file", **first)
    story.order("evidence.import", "file", "analyst-1", **{**first, "hosts": {"lis-1": "f", "lis-2": "e"}}).nothing()
    kept = {story.state.estate.hosts[host]: one for host, one in story.state.imported.items()}
    assert [one.person for one in kept["lis-1"]] == ["forensic-lead", "analyst-1"]
    assert [(one.evidence, one.file, one.tool, one.taken, one.at_us) for one in kept["lis-2"]] == [
        ("e", "file", "ClamAV", "offline", story.now_us)
    ]


def test_a_wave_is_launched_after_the_wave_it_follows_and_by_each_person_once(tell: Tell) -> None:
    story = tell(TWO).opened()
    assert "foundations" in refused(story, "waves.after", "wave.launch", LAB)
    story.order("wave.launch", "foundations", "operator-1").nothing().order("wave.launch", LAB, "operator-1").nothing()
    story.refuses("waves.launch", lambda: story.order("wave.launch", LAB, "operator-1"))
    story.order("wave.launch", LAB, "operator-2").nothing()
    assert story.state.waves[story.wave(LAB)].launchers == ("operator-1", "operator-2")


def test_the_last_host_of_a_quorum_is_excluded_only_by_people_who_say_they_know(tell: Tell) -> None:
    story = tell(TWO).opened().order("host.exclude", "lis-1", "operator-1", "crisis-1").expect("exclude lis-1")
    assert "lis cannot reach its quorum" in refused(story, "hosts.quorum", "host.exclude", "lis-2")
    story.order("host.exclude", "lis-2", "operator-1", "crisis-1", even_if_last=True).expect("exclude lis-2")
    refused(story, "hosts.exclude", "host.exclude", "lis-2")


def test_two_hosts_of_a_quorum_are_not_excluded_behind_each_others_back(tell: Tell) -> None:
    story = tell(TWO).begun().order("host.exclude", "lis-1", "operator-1", "crisis-1").expect("cancel lis-1/restore/1")
    refused(story, "hosts.quorum", "host.exclude", "lis-2")
    story.stop("lis-1/restore/1").whatever()


def test_a_host_that_failed_is_excluded_without_further_ado(tell: Tell) -> None:
    content = hospital(classes=(plain_class("server", strategies=("restore",)),))
    story = tell(content).begun().finish("lis-1/restore/1", restore_point_us=T0_US).whatever()
    story.finish("lis-1/restore/2", restore_point_us=T0_US).expect("condemn lis-1", "give up lis-1")
    story.order("host.exclude", "lis-1", "operator-1", "crisis-1").expect("exclude lis-1")
    refused(story, "hosts.retry", "host.retry", "lis-1")


def test_a_host_that_is_out_is_recalled_before_it_is_excluded_or_given_another_strategy(tell: Tell) -> None:
    story = tell(TWO).begun().in_service("files-1")
    refused(story, "hosts.exclude", "host.exclude", "files-1")
    story.verdicts("files-1", "analyst-1", verdict="INFECTED").expect("ask files-1 network")
    refused(story, "hosts.retry", "host.retry", "files-1", strategy="reimage")
    refused(story, "exception.out", "host.exception", "files-1", until_us=story.now_us + SECOND)


def test_only_a_host_at_rest_is_declared_as_brought_back_by_others(tell: Tell) -> None:
    story = tell(TWO).begun()
    known: dict[str, Json] = {"host_key": "ssh-ed25519 AAAA", "restore_point_us": 1}
    refused(story, "hosts.declare", "host.declare", "lis-1", **known)
    story.finish("lis-1/restore/1").whatever()
    refused(story, "hosts.declare", "host.declare", "lis-1", **known)


def test_isolating_what_keeps_people_alive_takes_a_second_person_who_was_shown_what_stops(tell: Tell) -> None:
    content = hospital(
        server("a", "north", "beds"), server("b", "north", "beds"), services=(service("beds", care="live"),)
    )
    story = tell(content).begun().in_service("a", "b")
    sentence = refused(story, "recall.care", "host.isolate", "a")
    assert "stops beds" in sentence
    refused(story, "recall.care", "host.recall", "a", stops=["coffee"])
    story.sign("i1", "host.isolate", "a", "operator-1", stops=["beds"]).nothing()
    story.sign("i1", "host.isolate", "a", "crisis-1", stops=["beds"]).expect("issue a/isolate/1")


def test_isolating_a_spare_host_takes_one_person_and_the_last_of_a_quorum_two(tell: Tell) -> None:
    content = hospital(server("a", "north", "lis"), server("b", "north", "lis"))
    story = tell(content).begun().in_service("a", "b")
    story.order("host.isolate", "a", "analyst-1").expect("issue a/isolate/1").finish("a/isolate/1").whatever()
    assert "stops lis" in refused(story, "recall.care", "host.isolate", "b")


def test_the_fourth_host_isolated_in_a_quarter_of_an_hour_takes_a_second_person(tell: Tell) -> None:
    story = tell(four_posts()).begun().in_service("lis-1", "ws-1", "ws-2", "ws-3", "ws-4")
    for name in ("ws-1", "ws-2", "ws-3"):
        story.order("host.isolate", name, "analyst-1").expect(f"issue {name}/isolate/1")
    story.later(15 * 60 - 10).read("service:lis").whatever()
    story.sign("i4", "host.isolate", "ws-4", "analyst-1").nothing()
    story.sign("i4", "host.isolate", "ws-4", "analyst-2").expect("issue ws-4/isolate/1")


def test_a_quarter_of_an_hour_later_one_person_is_enough_again(tell: Tell) -> None:
    story = tell(four_posts()).begun().in_service("lis-1", "ws-1", "ws-2", "ws-3", "ws-4")
    for name in ("ws-1", "ws-2", "ws-3"):
        story.order("host.isolate", name, "analyst-1").expect(f"issue {name}/isolate/1")
    story.later(15 * 60).read("service:lis").whatever()
    story.order("host.isolate", "ws-4", "analyst-1").expect("issue ws-4/isolate/1")


def test_a_person_claims_one_seat_while_there_is_one(tell: Tell) -> None:
    story = tell(TWO).begun().inspected("files-1").sweep().whatever().order("claim", "files-1", "analyst-1").nothing()
    story.refuses("seats.person", lambda: story.order("claim", "files-1", "analyst-1"))
    story.order("claim", "files-1", "analyst-2").nothing()
    story.refuses("seats.full", lambda: story.order("claim", "files-1", "analyst-3"))
    story.verdicts("files-1", "analyst-1", verdict="SUSPECT").expect("issue files-1/inspect/2")
    assert story.state.claims == {}, "SUSPECT empties the other seat"


def test_a_confirmed_task_is_not_done_again(tell: Tell) -> None:
    content = hospital(classes=(plain_class("server", strategies=("replace",)),))
    story = tell(content).opened().finish("north/isolate/1").whatever()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "lis-1/replace", person).whatever()
    refused(story, "tasks.open", "task.done", "lis-1/replace")


def test_an_excluded_host_is_taken_back_not_retried(tell: Tell) -> None:
    story = tell(TWO).begun().excluded("ws-1")
    assert "two persons" in refused(story, "hosts.retry", "host.retry", "ws-1")
    assert story.stage("ws-1") is Stage.EXCLUDED


def test_a_freeze_of_a_host_nobody_knows_names_it(tell: Tell) -> None:
    story = tell(hospital()).opened()
    said = story.refuses(
        "freeze.scope", lambda: story.order("freeze", "hosts", "operator-1", hosts=["lis-1", "nosuch"])
    )
    assert said.sentence == "There is no host nosuch; nothing was frozen or thawed."
