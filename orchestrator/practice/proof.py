"""Counts what the analysts of a drill went through, record by record, and says it in words.

Never judges whether it went well: `drill_report` does.
"""

from __future__ import annotations

from collections import Counter

from orchestrator.decision.commands import Owe
from orchestrator.decision.events import Judged, Rematched
from orchestrator.decision.quorum import CLEAN
from orchestrator.decision.stages import OUT
from orchestrator.decision.state import State


class Proof:
    """The counts so far."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._clean: dict[str, set[str]] = {}  # who said it of which inspection
        self._revoked: set[str] = set()

    def see(self, entry: object, state: State) -> None:
        """One more record; `state` is the one it led to."""
        if isinstance(entry, Judged):
            self._judged(entry, state)
        elif isinstance(entry, Rematched):
            self._counts[entry.outcome] += len(entry.inspections)
            if entry.outcome == "hit":
                self._counts["hits out"] += sum(_is_out(state, host) for host in entry.inspections)
        elif isinstance(entry, Owe):
            self._counts["owed"] += entry.cause.endswith("who was revoked")
        for person in state.revoked - self._revoked:
            self._revoked.add(person)
            on_word = [host for host, said in enumerate(state.verdicts) if person in {one.person for one in said}]
            self._counts["judged again"] += sum(state.stage[host] not in OUT for host in on_word)

    def _judged(self, entry: Judged, state: State) -> None:
        self._counts[entry.verdict] += len(entry.inspections)
        if entry.verdict == CLEAN and len(entry.inspections) > 1:
            numbers = [state.estate.host_number[host] for host in entry.inspections]
            self._counts["lots"] += 1
            self._counts["by lot"] += sum(entry.person in state.by_lot.get(host, ()) for host in numbers)
        for host, inspection in entry.inspections.items():
            others = self._clean.setdefault(inspection, set())
            if entry.verdict == CLEAN:
                others.add(entry.person)
            elif others - {entry.person}:
                self._counts["found late" if _is_out(state, host) else "disagreements"] += 1

    def document(self, state: State) -> dict[str, int]:
        """The counts at the end, of the drill's document."""
        done = Counter(order.kind for order in state.orders.values() if order.done)
        counts = self._counts
        return {
            "clean": counts["CLEAN"],
            "lots_signed": counts["lots"],
            "clean_by_lot": counts["by lot"],
            "suspect": counts["SUSPECT"],
            "infected": counts["INFECTED"],
            "disagreements": counts["disagreements"],
            "found_late": counts["found late"],
            "recalls": done["host.recall"],
            "keys_revoked": len(state.revoked),
            "judged_again": counts["judged again"],
            "owed_inspection": counts["owed"],
            "sets_in_force": done["indicators.force"],
            "rematched_no_hit": counts["no-hit"],
            "rematched_hit": counts["hit"],
            "rematched_hit_out": counts["hits out"],
            "not_rematched": counts["unmatched"],
        }


def _is_out(state: State, host: str) -> bool:
    return state.stage[state.estate.host_number[host]] in OUT


def in_words(told: dict[str, int]) -> str:
    """The same for a person; of what did not happen nothing is said."""
    words = [
        f"Analysts said CLEAN {told['clean']} times, SUSPECT {told['suspect']}, INFECTED {told['infected']}; "
        f"{told['disagreements']} times one said CLEAN and another did not."
    ]
    if told["lots_signed"]:
        words.append(f"{told['lots_signed']} statements on lots let {told['clean_by_lot']} workstations out unread.")
    if told["found_late"] or told["recalls"]:
        words.append(f"Found infected or doubtful after release: {told['found_late']}. Recalled: {told['recalls']}.")
    if told["keys_revoked"]:
        words.append(
            f"Keys revoked: {told['keys_revoked']}; {told['judged_again']} hosts in quarantine were judged again, "
            f"{told['owed_inspection']} that were out were inspected again."
        )
    if told["sets_in_force"]:
        words.append(
            f"New indicator sets in force: {told['sets_in_force']}; stored evidence matched anew: "
            f"{told['rematched_no_hit']} hosts without a hit, {told['rematched_hit']} with one "
            f"({told['rematched_hit_out']} of them out), {told['not_rematched']} could not be matched."
        )
    return "\n".join(words)
