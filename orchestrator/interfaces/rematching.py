"""What putting an indicator set in force costs: hosts it hits, verdicts nothing speaks against, analysts' hours.

Never puts one in force and never changes a verdict: an order of two persons does the first, and no rule the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import Json
from orchestrator.checks.indicators import IndicatorSet
from orchestrator.errors import RelanceError, UsageError
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.matching import Matched, Matcher
from orchestrator.interfaces.documents import EvidenceKept
from orchestrator.journal.blobs import Blobs


@dataclass(frozen=True, slots=True)
class Cost:
    """What stored evidence says about a set, host by host; `unread` hosts have evidence that could not be matched."""

    kept: EvidenceKept
    hits: dict[str, Matched]
    unread: dict[str, str]

    @property
    def verdicts(self) -> int:
        """CLEAN verdicts that count now. This version has every one of them given again under the new set."""
        return sum(one["verdicts"] for one in self.kept["hosts"])

    @property
    def verdicts_without_hit(self) -> int:
        """Those of them on hosts where the whole set was matched and nothing found."""
        return sum(one["verdicts"] for one in self.kept["hosts"] if self._nothing_found(one["host"]))

    @property
    def analyst_minutes(self) -> int:
        """What reading those hosts again takes: every seat of every host that has a verdict."""
        seats = (one["verdicts_required"] * one["reading_s"] for one in self.kept["hosts"] if one["verdicts"])
        return sum(seats) // 60

    def _nothing_found(self, host: str) -> bool:
        return host not in self.hits and host not in self.unread

    def as_args(self) -> dict[str, Json]:
        """What both persons read before they sign."""
        return {
            "hosts_matched": len(self.kept["hosts"]) - len(self.unread),
            "hosts_hit": len(self.hits),
            "hosts_not_matched": len(self.unread) + self.kept["hosts_without"],
            "verdicts_to_give_again": self.verdicts,
            "verdicts_without_hit": self.verdicts_without_hit,
            "analyst_minutes": self.analyst_minutes,
        }

    def as_json(self) -> dict[str, Json]:
        """The whole of it."""
        return {
            **self.as_args(),
            "hits": {
                host: {"found": [str(hit) for hit in one.hits], "more": one.more} for host, one in self.hits.items()
            },
            "not_matched": dict(self.unread),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        told = self.as_args()
        hours, minutes = divmod(self.analyst_minutes, 60)
        out = {one["host"] for one in self.kept["hosts"] if one["out"]}
        return [
            f"Matched the stored evidence of {told['hosts_matched']} hosts; {told['hosts_not_matched']} could not be.",
            f"Hit: {len(self.hits)} hosts, {len(out & self.hits.keys())} of them out.",
            *(
                f"  {host}{' (out)' if host in out else ''}: {hit}"
                for host, one in self.hits.items()
                for hit in one.hits
            ),
            *(f"  {host}: {one.more} more" for host, one in self.hits.items() if one.more),
            *(f"  {host}: not matched: {sentence}" for host, sentence in self.unread.items()),
            f"In force, {self.verdicts} verdicts are given again, {self.verdicts_without_hit} of them where nothing "
            f"of it was found: {hours} h {minutes:02} of analysts' reading.",
        ]


def cost(kept: EvidenceKept, wanted: IndicatorSet, blobs: Blobs) -> Cost:
    """Matches all stored evidence against a set."""
    matcher = Matcher(wanted, blobs.get)
    hits: dict[str, Matched] = {}
    unread: dict[str, str] = {}
    for one in kept["hosts"]:
        try:
            found = matcher.match(Evidence.from_bytes(blobs.get(one["evidence"])))
        except RelanceError as error:
            unread[one["host"]] = error.sentence
            continue
        if found.hits:
            hits[one["host"]] = found
        elif found.unmatched:
            unread[one["host"]] = "; ".join(found.unmatched)
    return Cost(kept, hits, unread)


def evidence_of(state_dir: Path) -> Blobs:
    """The store of evidence, samples and sets of a state folder. Raises UsageError where there is none."""
    if not state_dir.is_dir():
        raise UsageError(f"There is no state folder {state_dir}; `relance run` makes it.", rule="usage.state")
    return Blobs(state_dir / "evidence", packed=True)
