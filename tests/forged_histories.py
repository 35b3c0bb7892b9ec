"""Forges what follows an honest story, record by record, and hears what the witness says of it.

Never touches the core: forged records reach the witness alone, so they may say what the core would never decide.
"""

from __future__ import annotations

from orchestrator.canonical import Json
from orchestrator.decision.codec import decode
from orchestrator.decision.commands import Command, Issue
from orchestrator.decision.estate import Estate
from orchestrator.decision.events import Event, Judged, Ordered, Swept
from orchestrator.decision.witness import Witness
from orchestrator.inventory.model import Needs
from orchestrator.plans.model import Content
from tests.estates import server, service
from tests.storyline import SECOND, SET, Story, Tell, hospital

RECONNECT = Issue("lis-1/reconnect/1", "lis-1", "reconnect")
SLICE = "laboratory/slice"
UNPROVEN = (1, "lis-1", "its proof of clean does not stand")
UNSWEPT = (1, "lis-1", "it is not proven to be in quarantine")
UNFROZEN = "a recall of it is asked for, or it answered, and nothing was frozen"
RECALLED = "it is recalled and its reach is not frozen"
ALARM = (9, "lis-1", "it holds INFECTED and is connected, and nobody was asked")


def heard(story: Story) -> Witness:
    """A witness who read the whole story so far, and found it honest."""
    witness = Witness(Estate(story.content, story.plan), story.state.contents)
    for at_us, kind, body in story.records:
        witness.see(decode(kind, body), at_us)
    witness.settle(story.now_us)
    assert witness.broken == []
    return witness


def seen(story: Story, *forged: Event | Command, freezes: bool = False) -> list[tuple[int, str, str]]:
    """What the witness says when these records follow the story: invariant, subject, sentence.

    That nothing was frozen is said to stories about `freezes` alone.
    """
    witness = heard(story)
    story.whatever()
    for entry in forged:
        witness.see(entry, story.now_us)
    witness.settle(story.now_us)
    assert all(broken.seq > len(story.records) for broken in witness.broken)
    told = [one for one in witness.broken if freezes or one.sentence not in (UNFROZEN, RECALLED)]
    return [(broken.invariant, broken.subject, broken.sentence) for broken in told]


def order(kind: str, subject: str, person: str, order_id: str = "f" * 32, **args: Json) -> Ordered:
    return Ordered(order_id, kind, subject, args, person, 1 << 52, 1 << 40, "blob")


def orders(kind: str, subject: str, *persons: str, **args: Json) -> list[Ordered]:
    """One order signed by each of these persons, and told apart from every other."""
    name = f"{kind} {subject} {' '.join(persons)}"
    return [order(kind, subject, one, name, **args) for one in persons]


def ready(tell: Tell, content: Content | None = None) -> Story:
    """`lis-1` is inspected and lacks one verdict of two; a forged one makes it whole."""
    story = tell(content).begun().inspected("lis-1")
    return story.verdicts("lis-1", "analyst-1").nothing()


def clean(story: Story, person: str = "analyst-2", verdict: str = "CLEAN", of: str = "") -> Judged:
    """A verdict on `lis-1`: on its latest inspection, or the one named by `of`."""
    inspection = of or story.state.inspection[story.host("lis-1")]
    return Judged(verdict, {"lis-1": inspection}, person, SET, story.now_us + 86_400 * SECOND, "blob")


def swept(story: Story, after_s: float, *answered: str, control: bool = True) -> Swept:
    """A sweep of the north that began so many seconds after the story's end."""
    return Swept("north", story.now_us + round(after_s * SECOND), control, list(answered))


def needing(*needs: str) -> Content:
    """`lis` needs `ad` or what is named; `ad` on one host, `pacs` and outside `reference-lab` stand in its function."""
    services = (
        service("ad", "laboratory"),
        service("pacs", "laboratory"),
        service("reference-lab", "laboratory", kind="outside"),
        service("lis", "laboratory", needs=Needs(reconnect=needs or ("ad",))),
    )
    hosts = (server("ad-1", "north", "ad"), server("lis-1", "north", "lis"), server("pacs-1", "north", "pacs"))
    return hospital(*hosts, services=services)
