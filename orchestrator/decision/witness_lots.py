"""What a plain clerk notes of lots: who was made from which image, whom the seed drew, and what INFECTED takes back.

Never asks the core who stands in a lot: the rule and the draw are written here anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from orchestrator.decision import events as e
from orchestrator.inventory.model import Host
from orchestrator.plans.model import LotRule


@dataclass(slots=True)
class LotBook:
    """A lot: the inspection of each host that stands in it now, and whom it ever counted and drew."""

    site: str
    image: str
    seed: str
    hosts: dict[str, str] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    drawn: set[str] = field(default_factory=set)
    condemned: bool = False


class LotBooks:
    """All lots, and from which image each host was made that was wiped and neither connected nor suspected since."""

    def __init__(self) -> None:
        self.all: list[LotBook] = []
        self.made: dict[str, str] = {}

    def opened(self, event: e.Ordered) -> None:
        """An order opened a lot."""
        self.all.append(LotBook(event.subject, str(event.args["image"]), str(event.args["seed"])))

    def restored(self, name: str, event: e.Finished, strategy: str) -> None:
        """It was made anew, from an image where it was wiped; it stands in no lot until it is inspected."""
        self.made[name] = str(event.facts.get("image_digest", "")) if strategy in ("reimage", "replace") else ""
        for lot in self.all:
            lot.hosts.pop(name, None)

    def inspected(self, known: Host, event: e.Finished, rule: LotRule) -> None:
        """A host whose class allows it joins the lot of its image."""
        if event.facts.get("marker"):
            self.made[known.id] = ""
        for lot in self.all:
            lot.hosts.pop(known.id, None)
            if lot.condemned or (lot.site, lot.image) != (known.site, self.made.get(known.id) or None):
                continue
            lot.hosts[known.id] = event.action
            lot.counted.add(known.id)
            text = " ".join((lot.seed, event.action, str(event.facts.get("evidence", ""))))
            number = int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)
            if len(lot.counted) <= rule.first or number % rule.one_in == 0:
                lot.drawn.add(known.id)

    def named(self, event: e.Judged) -> LotBook | None:
        """The lot of which several hosts are called CLEAN at once, if that is what the verdict does."""
        if event.verdict != "CLEAN" or len(event.inspections) < 2:
            return None
        return next((lot for lot in self.all if lot.hosts.keys() & event.inspections.keys()), None)

    def condemned(self, name: str) -> set[str]:
        """INFECTED on one of a lot: the hosts for which what was said of all of it at once counts no more."""
        fallen: set[str] = set()
        for lot in self.all:
            if name in lot.counted and not lot.condemned:
                lot.condemned = True
                fallen |= lot.hosts.keys()
        return fallen
