"""What putting an indicator set in force costs: hosts it hits, verdicts that stand, verdicts to give again, hours.

Never puts one in force and never changes a verdict: an order of two persons does the first, and the core the second,
once the live process has matched the same evidence anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import Json
from orchestrator.checks.indicators import IndicatorSet
from orchestrator.errors import RelanceError, UsageError
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.matching import Matched, Matcher
from orchestrator.evidence.reports import LEVELS
from orchestrator.evidence.sets import stored_set
from orchestrator.interfaces.documents import EvidenceKept
from orchestrator.interfaces.output import counted
from orchestrator.journal.blobs import Blobs


@dataclass(frozen=True, slots=True)
class Cost:
    """What stored evidence says about a set, host by host; `unread` hosts have evidence that could not be matched."""

    kept: EvidenceKept
    hits: dict[str, Matched]
    unread: dict[str, str]

    @property
    def verdicts_again(self) -> int:
        """CLEAN verdicts that count now and fall: of hosts with a hit, or of which not all could be matched."""
        return sum(one["verdicts"] for one in self.kept["hosts"] if not self._nothing_found(one["host"]))

    @property
    def verdicts_standing(self) -> int:
        """Those of hosts where the whole set was matched and nothing found."""
        return sum(one["verdicts"] for one in self.kept["hosts"] if self._nothing_found(one["host"]))

    @property
    def analyst_minutes(self) -> int:
        """What reading again takes: every seat of every host whose verdicts fall."""
        again = (one for one in self.kept["hosts"] if one["verdicts"] and not self._nothing_found(one["host"]))
        return sum(one["verdicts_required"] * one["reading_s"] for one in again) // 60

    def _nothing_found(self, host: str) -> bool:
        return host not in self.hits and host not in self.unread

    @property
    def unmatched(self) -> int:
        """Hosts whose inspection could not be matched, or that have none."""
        return sum(one["host"] in self.unread for one in self.kept["hosts"]) + self.kept["hosts_without"]

    def as_args(self) -> dict[str, Json]:
        """What both persons read before they sign."""
        return {
            "hosts_matched": len(self.kept["hosts"]) + self.kept["hosts_without"] - self.unmatched,
            "hosts_hit": len(self.hits),
            "hosts_not_matched": self.unmatched,
            "verdicts_to_give_again": self.verdicts_again,
            "verdicts_that_stand": self.verdicts_standing,
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
            f"In force, {self.verdicts_standing} verdicts stand, where all was matched and nothing found, and "
            f"{self.verdicts_again} are given again: {hours} h {minutes:02} of analysts' reading.",
        ]


def cost(kept: EvidenceKept, wanted: IndicatorSet, blobs: Blobs) -> Cost:
    """Matches all stored evidence against a set: inspections, and what was imported."""
    matcher = Matcher(wanted, blobs.get)
    hits: dict[str, Matched] = {}
    unread: dict[str, str] = {}
    looked = [(one["host"], one["evidence"]) for one in (*kept["hosts"], *kept["imported"])]
    for host, digest in looked:
        try:
            seen = Evidence.from_bytes(blobs.get(digest))
            found = matcher.match(seen)
        except RelanceError as error:
            unread[host] = error.sentence
            continue
        if found.hits:
            before = hits.get(host, Matched((), 0, ()))
            hits[host] = Matched((*before.hits, *found.hits), before.more + found.more, found.unmatched)
        elif found.unmatched and not seen.source:  # what was imported says itself what is not matched on it
            unread.setdefault(host, "; ".join(found.unmatched))
    return Cost(kept, hits, unread)


def matcher_of(kept: EvidenceKept, blobs: Blobs) -> Matcher:
    """The indicator set in force, made ready. Raises Refused where it is not kept."""
    return Matcher(stored_set(blobs, kept["indicator_set"]), blobs.get)


def levels(seen: Evidence, matcher: Matcher) -> str:
    """What a tool found and what of the indicator set in force is in it, by how much it says."""
    hits = matcher.match(seen)
    counts = {level: len(seen.lists.get(level, ())) for level in LEVELS}
    matched = {level: sum(hit.level == level for hit in hits.hits) for level in LEVELS}
    matched["more"] = hits.more
    told = f"{seen.tool} says {counted(counts) or 'nothing'} in {seen.files} files"
    return f"{told}; indicators: {counted(matched) or 'none found'}."


def evidence_of(state_dir: Path, bytes_max: Callable[[], int] | None = None) -> Blobs:
    """The store of evidence, samples and sets of a state folder. Raises UsageError where there is none."""
    if not state_dir.is_dir():
        raise UsageError(f"There is no state folder {state_dir}; `relance run` makes it.", rule="usage.state")
    return Blobs(state_dir / "evidence", packed=True, bytes_max=bytes_max)
