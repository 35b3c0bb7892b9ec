"""What a journal has measured so far: how long work took, per class and step, and how often it went wrong.

Never guesses: what was never measured is not in it. `outlook` joins it with the plan's figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log

from orchestrator.decision import quorum
from orchestrator.decision.commands import Command, EnterService, Issue
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Cancelled, Dispatched, Epoch, Event, Finished, Judged, Lost

SECOND = 1_000_000
LEAST_S = 0.01
READING_MAX_S = 4 * 3600  # a longer pause between two verdicts of one person was no reading


@dataclass(slots=True)
class Tally:
    """Durations of one kind of work, as sums of their logarithms (of seconds).

    `within` are the squares left about the mean of each batch: what was run together waits and ends together.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    within: float = 0.0
    batches: dict[int, tuple[int, float]] = field(default_factory=dict)

    def add(self, spent_s: float, batch: int = 0) -> None:
        """One more."""
        value = log(max(LEAST_S, spent_s))
        self.count += 1
        self.total += value
        self.squares += value * value
        count, mean = self.batches.get(batch, (0, 0.0))
        middle = mean + (value - mean) / (count + 1)
        self.within += (value - mean) * (value - middle)
        self.batches[batch] = (count + 1, middle)


@dataclass(slots=True)
class Measures:
    """Fed with every record in order. `work` by (class, step or `verdict`); `serving` by class, from a host's release
    into service; `ended` and `failed` count tries per step; `verdicts` counts them by what they say."""

    work: dict[tuple[str, str], Tally] = field(default_factory=dict)
    serving: dict[str, Tally] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    _begun: dict[str, int] = field(default_factory=dict)
    _batch: dict[str, int] = field(default_factory=dict)
    _batches: int = 0
    _released_us: dict[str, int] = field(default_factory=dict)
    _read_us: dict[str, int] = field(default_factory=dict)
    _ready_us: dict[str, int] = field(default_factory=dict)

    def see(self, entry: Event | Command, estate: Estate, at_us: int) -> None:
        """One record, with the estate in force before it."""
        if isinstance(entry, Issue):
            self._begun[entry.action] = at_us
        elif isinstance(entry, Finished | Lost | Cancelled):
            self._end(entry, estate, at_us)
        elif isinstance(entry, Dispatched):
            self._batches += 1
            self._batch.update(dict.fromkeys(entry.actions, self._batches))
        elif isinstance(entry, EnterService):
            self._serve(entry.host, estate, at_us)
        elif isinstance(entry, Judged):
            self._judge(entry, estate, at_us)
        elif isinstance(entry, Epoch):
            for times in (self._begun, self._released_us, self._read_us, self._ready_us):
                for key in times:
                    times[key] += entry.delta_us

    def _end(self, entry: Finished | Lost | Cancelled, estate: Estate, at_us: int) -> None:
        target, step, _ = entry.action.split("/")
        begun_us, batch = self._begun.pop(entry.action, None), self._batch.pop(entry.action, 0)
        host = estate.host_number.get(target, -1)
        if begun_us is None or isinstance(entry, Cancelled) or host < 0:
            return
        self.ended[step] = self.ended.get(step, 0) + 1
        if isinstance(entry, Finished) and entry.outcome == "ok":
            self._tally(estate, host, step).add((at_us - begun_us) / SECOND, batch)
            if step == "inspect":
                self._ready_us[entry.action] = at_us
            elif step == "reconnect":
                self._released_us[target] = at_us
        else:
            self.failed[step] = self.failed.get(step, 0) + 1

    def _serve(self, host: str, estate: Estate, at_us: int) -> None:
        released_us = self._released_us.pop(host, None)
        if released_us is not None:
            klass = estate.group(estate.host_number[host]).klass.id
            self.serving.setdefault(klass, Tally()).add((at_us - released_us) / SECOND)

    def _tally(self, estate: Estate, host: int, work: str) -> Tally:
        return self.work.setdefault((estate.group(host).klass.id, work), Tally())

    def _judge(self, entry: Judged, estate: Estate, at_us: int) -> None:
        """A person who signs one verdict after another takes about the pause between them to read."""
        self.verdicts[entry.verdict] = self.verdicts.get(entry.verdict, 0) + 1
        before_us = self._read_us.get(entry.person, 0)
        self._read_us[entry.person] = at_us
        if len(entry.inspections) == 1:
            name, inspection = next(iter(entry.inspections.items()))
            spent_s = (at_us - max(before_us, self._ready_us.get(inspection, at_us))) / SECOND
            if before_us and 0 < spent_s <= READING_MAX_S:
                self._tally(estate, estate.host_number[name], "verdict").add(spent_s)

    def many(self, klass: str, work: str) -> int:
        """How often this work was measured on hosts of this class."""
        tally = self.work.get((klass, work))
        return tally.count if tally else 0

    def share(self, verdict: str, prior: float, weight: float) -> float:
        """The share of verdicts that say this, joined with what was expected before."""
        total = sum(self.verdicts.values())
        return (self.verdicts.get(verdict, 0) + prior * weight) / (total + weight)

    def failing(self, prior: float, weight: float) -> float:
        """The share of tries that fail or are lost, joined with what was expected before."""
        return (sum(self.failed.values()) + prior * weight) / (sum(self.ended.values()) + weight)


SUSPECT, INFECTED = quorum.SUSPECT, quorum.INFECTED
