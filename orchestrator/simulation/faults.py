"""What can go wrong in an invented world: one probability for each fault, in one place.

Never makes anything go wrong: `world` and `scenario` ask it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities of what may go wrong.

    Of each action: `fails`, `unreachable`, `hangs` (until its limit), `lost` (its runner dies, half of them after the
    work was done), `mute` (done, but the result never arrives), `twice` (the result comes again, hours later), `late`
    (a result after it was given up), `young` (a restore from a point after T0 unless it is an older one's turn).
    Of each host: `pointless` (no backup of it is older than T0, and none ever will be).
    Of each verdict: `suspect`, `infected`, `wrong` (a second reader disagrees with the first), `second_key` (who said
    CLEAN says it once more, with another key), `withdrawn` (who said CLEAN says SUSPECT an hour or two later).
    Of each task: `false_claim` (said done and not done). Of each sweep: `silent` (the site answers nobody for hours),
    `answers` (a host in quarantine answers). Of each reading: `flaps` (FAIL, or UNKNOWN, for some hours).
    Of each host whose evidence is matched against a new set: `hit` (something of it is found), `unmatched` (it cannot
    be read), `unanswered` (nobody hears of it; an hour later it is asked again).
    Of each record: `killed` (the core dies and is rebuilt from its journal). `troubles` is how many orders and
    accidents a day people and the world add: jumps of the clock, holds, freezes, revocations, indicator sets, changes
    of content, order and T0, recalls, machines replaced, facts withdrawn.
    """

    fails: float = 0.0
    unreachable: float = 0.0
    hangs: float = 0.0
    lost: float = 0.0
    mute: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    young: float = 0.0
    pointless: float = 0.0
    suspect: float = 0.0
    infected: float = 0.0
    wrong: float = 0.0
    second_key: float = 0.0
    withdrawn: float = 0.0
    false_claim: float = 0.0
    silent: float = 0.0
    answers: float = 0.0
    flaps: float = 0.0
    hit: float = 0.0
    unmatched: float = 0.0
    unanswered: float = 0.0
    killed: float = 0.0
    troubles: float = 0.0


NONE = Faults()
SOME = Faults(
    fails=0.03, unreachable=0.02, hangs=0.005, lost=0.01, twice=0.01, pointless=0.02, suspect=0.03, infected=0.01,
    wrong=0.02, withdrawn=0.005, false_claim=0.05, silent=0.002, flaps=0.005, killed=0.0002, troubles=2.0,
    hit=0.01, unmatched=0.01, unanswered=0.02,
)  # fmt: skip
ALL = Faults(
    fails=0.08, unreachable=0.05, hangs=0.03, lost=0.04, mute=0.03, twice=0.05, late=0.03, young=0.05, pointless=0.05,
    suspect=0.06, infected=0.03, wrong=0.05, second_key=0.05, withdrawn=0.02, false_claim=0.15, silent=0.01,
    answers=0.002, flaps=0.02, killed=0.0004, troubles=16.0,
    hit=0.05, unmatched=0.05, unanswered=0.1,
)  # fmt: skip
BY_NAME = {"none": NONE, "some": SOME, "all": ALL}
