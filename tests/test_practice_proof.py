"""What the analysts of a drill went through is counted from the journal's records, and said in words."""

from __future__ import annotations

from orchestrator.decision.apply import apply
from orchestrator.decision.codec import decode
from orchestrator.decision.estate import Estate
from orchestrator.decision.state import State
from orchestrator.practice.proof import Proof, in_words
from tests.estates import server
from tests.storyline import Story, Tell, hospital
from tests.test_decision_lots import POSTS, sampled, whole

NEW_SET = "c" * 64
COUNTS = (
    "clean", "lots_signed", "clean_by_lot",
    "suspect", "infected", "disagreements", "found_late", "recalls", "keys_revoked", "judged_again",
    "owed_inspection", "sets_in_force", "rematched_no_hit", "rematched_hit", "rematched_hit_out", "not_rematched",
)  # fmt: skip
TWO = (server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))


def told(story: Story) -> dict[str, int]:
    """The counts over a story's records, read as a report reads a journal."""
    story.whatever()
    state, proof = State(Estate(story.content, story.plan)), Proof()
    for at_us, kind, body in story.records:
        entry = decode(kind, body)
        apply(state, entry, at_us)
        proof.see(entry, state)
    return {name: count for name, count in proof.document(state).items() if count}


def test_verdicts_are_counted_and_who_contradicts_a_colleague_disagrees(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever()
    story.verdicts("lis-1", "analyst-1").verdicts("lis-1", "analyst-2", verdict="SUSPECT").whatever()
    story.finish("lis-1/inspect/2").verdicts("lis-1", "analyst-3").verdicts("lis-1", "analyst-3", verdict="SUSPECT")
    assert told(story) == {"clean": 2, "suspect": 2, "disagreements": 1}, "who takes a word back contradicts nobody"


def test_a_host_found_infected_after_its_release_is_no_disagreement_but_found_late_and_recalled(tell: Tell) -> None:
    story = tell().begun().in_service("lis-1").verdicts("lis-1", "analyst-3", verdict="INFECTED").whatever()
    story.order("host.recall", "lis-1", "operator-1", "analyst-1", stops=["lis"])
    assert told(story) == {"clean": 2, "infected": 1, "found_late": 1, "recalls": 1}


def test_after_a_revoked_key_hosts_inside_are_judged_again_and_those_outside_inspected_again(tell: Tell) -> None:
    story = tell(hospital(*TWO)).begun().in_service("lis-1").inspected("lis-2").sweep().whatever()
    story.verdicts("lis-2", "analyst-1").nothing().order("roster.revoke", "analyst-1", "operator-1", "it-director")
    counts = told(story)
    assert (counts["keys_revoked"], counts["judged_again"], counts["owed_inspection"]) == (1, 1, 1)


def test_a_new_set_is_counted_with_what_it_found_inside_and_outside(tell: Tell) -> None:
    story = tell(hospital(*TWO)).begun().in_service("lis-1").inspected("lis-2").sweep().whatever()
    story.order("indicators.force", NEW_SET, "analyst-1", "analyst-2").whatever()
    story.rematched("lis-1", "lis-2", outcome="hit")
    counts = told(story)
    assert (counts["sets_in_force"], counts["rematched_hit"], counts["rematched_hit_out"]) == (1, 2, 1)


def test_an_order_that_waits_for_its_second_person_is_not_counted(tell: Tell) -> None:
    story = tell().begun().order("indicators.force", NEW_SET, "analyst-1")
    assert told(story) == {}


def test_of_what_did_not_happen_nothing_is_said() -> None:
    assert in_words(dict.fromkeys(COUNTS, 0)).splitlines() == [
        "Analysts said CLEAN 0 times, SUSPECT 0, INFECTED 0; 0 times one said CLEAN and another did not."
    ]


def test_everything_that_happened_is_said_in_words() -> None:
    words = in_words({name: number for number, name in enumerate(COUNTS, 1)})
    assert words == (
        "Analysts said CLEAN 1 times, SUSPECT 4, INFECTED 5; 6 times one said CLEAN and another did not.\n"
        "2 statements on lots let 3 workstations out unread.\n"
        "Found infected or doubtful after release: 7. Recalled: 8.\n"
        "Keys revoked: 9; 10 hosts in quarantine were judged again, 11 that were out were inspected again.\n"
        "New indicator sets in force: 12; stored evidence matched anew: 13 hosts without a hit, 14 with one (15 of "
        "them out), 16 could not be matched."
    )


def test_a_statement_on_a_lot_counts_the_hosts_it_lets_out_and_not_its_sample(tell: Tell) -> None:
    counts = told(whole(sampled(tell), "analyst-3", *POSTS))
    assert (counts["lots_signed"], counts["clean_by_lot"]) == (1, 4)
