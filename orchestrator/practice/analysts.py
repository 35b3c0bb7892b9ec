"""Decides what the analysts of a drill conclude, and when a key of theirs is lost or new indicators arrive.

Never signs and never posts (`people` does), and remembers nothing: what was done stands in the state.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from orchestrator.decision.lots import key
from orchestrator.decision.orders import EMPTY_SET
from orchestrator.decision.stages import GONE, INSPECTED, OUT, Stage
from orchestrator.decision.state import State
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.matching import Matcher
from orchestrator.evidence.sets import stored_set
from orchestrator.journal.blobs import Blobs
from orchestrator.practice.ransomware import DORMANT, DORMANT_BYTES
from orchestrator.simulation.people import Wish

SUSPECT_ONE_IN = 40
INDICATORS = f"""kind,value,note
sha256,{hashlib.sha256(DORMANT_BYTES).hexdigest()},the implant that sleeps
name,{Path(DORMANT).name},its name
domain,update.relance-practice.example,where it reports to
"""

Story = dict[
    str, Any
]  # of people.json: seed; hosts late, dormant, disputed; the person whose key is revoked; lots by site and image


class Desk:
    """Where analysts see what the set in force finds in the evidence of a host."""

    def __init__(self, evidence: Path) -> None:
        self._blobs = Blobs(evidence)
        self._matcher = ("", Matcher(stored_set(self._blobs, EMPTY_SET), self._blobs.get))
        self._found: dict[str, bool] = {}

    def finds(self, evidence: str, indicator_set: str) -> bool:
        """Whether anything of the set is in this evidence. Raises RelanceError where either cannot be read."""
        if indicator_set == EMPTY_SET:
            return False
        if self._matcher[0] != indicator_set:
            self._matcher = (indicator_set, Matcher(stored_set(self._blobs, indicator_set), self._blobs.get))
            self._found.clear()
        if evidence not in self._found:
            seen = Evidence.from_bytes(self._blobs.get(evidence))
            self._found[evidence] = bool(self._matcher[1].match(seen).hits)
        return self._found[evidence]


def verdict_on(
    seat: dict[str, Any], seed: int, *, found: bool = False, second: bool | None = None
) -> Literal["CLEAN", "SUSPECT", "INFECTED"]:
    """What a reader concludes: a marker or a hit is INFECTED; now and then a first look is not enough.

    Where readers disagree `second` says whether another has said CLEAN already.
    """
    if seat["marker"] or found:
        return "INFECTED"
    if second is not None:
        return "SUSPECT" if second else "CLEAN"
    doubtful = random.Random(f"{seed} {seat['host']}").randrange(SUSPECT_ONE_IN) == 0
    return "SUSPECT" if doubtful and seat["inspection"].endswith("/inspect/1") else "CLEAN"


def disputed(state: State, story: Story, name: str) -> bool:
    """Whether the readers of this host disagree: once, before anybody doubted it, while it stands in quarantine."""
    host = state.estate.host_number[name]
    return name in story["disputed"] and not state.suspects[host] and state.stage[host] is INSPECTED


def lots_to_open(state: State, story: Story) -> Iterator[Wish]:
    """Each lot is opened before anything of it is inspected; nobody chooses its seed."""
    for site, image in story["lots"] if state.roster else ():
        if key(site, image) not in state.lots:
            yield Wish("lot.open", site, {"image": image, "seed": os.urandom(16).hex()})


def whole_lots(queue: dict[str, Any], story: Story) -> Iterator[list[dict[str, Any]]]:
    """The hosts that each statement on a whole lot names now: the sample, and who waits."""
    indicator_set = queue["indicator_set"]
    for lot in queue["lots"]:
        waiting = [one for one in lot["waiting"] if not left_for_later(story, one["host"], indicator_set)]
        if lot["signable"] and waiting:
            told = {"indicator_set": indicator_set, "image": lot["image"]}
            yield [{**one, **told} for one in (*lot["sample"], *waiting)]


def left_to_its_lot(queue: dict[str, Any], seat: dict[str, Any]) -> bool:
    """Whether nobody reads this host: its lot can be signed for, or those drawn of it wait to be read.

    Whom one person has read already, a second one reads.
    """
    if not seat["lot"]:
        return False
    lot = next(one for one in queue["lots"] if one["lot"] == seat["lot"])
    if seat["host"] not in {one["host"] for one in lot["waiting"]}:
        return False
    asked = {one["host"] for one in queue["hosts"]}
    soon = all(one["clean"] or one["host"] in asked for one in lot["sample"])
    return not lot["condemned"] and lot["seen"] >= lot["first"] and soon


def readers(free: Sequence[str], earlier: Collection[str], seats: int) -> list[str]:
    """Who reads: those who have not read this host before come first, so that a third settles what two disagree on."""
    return sorted(free, key=lambda person: person in earlier)[:seats]


def revocations(state: State, story: Story, ended: bool) -> Iterator[Wish]:
    """In mid-drill a key is lost: once a third is back and, best, hosts in quarantine and outside rest on that word."""
    person, back, everybody = story["revoked"], state.stage.count(Stage.IN_SERVICE), len(state.stage)
    if not person or person in state.revoked or person not in state.roster:
        return
    judged = [host for host, said in enumerate(state.verdicts) if any(one.person == person for one in said)]
    out = sum(state.stage[host] in OUT for host in judged)
    midway = 3 * back >= everybody and 0 < out < len(judged)
    if ended or midway or (out and 3 * back >= 2 * everybody):
        yield Wish("roster.revoke", person)


def left_for_later(story: Story, name: str, indicator_set: str) -> bool:
    """Whether nobody comes to read this host before the CERT sends its set: it shall be found in quarantine."""
    return name in story["dormant"][1:] and indicator_set == EMPTY_SET


def set_arrives(state: State, story: Story, ended: bool) -> bool:
    """Whether the CERT sends its set now: the first host that something sleeps on is in service, the other one was
    inspected and waits for its readers."""
    if not story["dormant"] or state.indicator_set != EMPTY_SET:
        return False
    first, *others = [state.stage[state.estate.host_number[name]] for name in story["dormant"]]
    found = first is Stage.IN_SERVICE or first in GONE
    return ended or (found and all(stage is INSPECTED or stage in OUT or stage in GONE for stage in others))


def unfinished(state: State, story: Story) -> bool:
    """Whether something of the story is still to come, or hosts that are out still owe something or worry somebody."""
    late = state.estate.host_number.get(story["late"], -1)
    return bool(
        state.obligations
        or state.rematch
        or any(state.stage[host] in OUT for host in state.asks)
        or (story["revoked"] and story["revoked"] not in state.revoked)
        or (story["dormant"] and state.indicator_set == EMPTY_SET)
        or (late >= 0 and state.stage[late] is Stage.IN_SERVICE and f"reach:{story['late']}" not in state.touched)
    )
