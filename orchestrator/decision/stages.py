"""The life of a host as one table: where it stands, what happened, where it stands then.

Never holds a condition: whether a thing may happen is decided elsewhere; here it is only said where it leads.
Two rules. A pair that is not in the table is illegal: it raises and changes nothing. *Clean* is no stage.
"""

from __future__ import annotations

from enum import IntEnum

from orchestrator.errors import RelanceError


class IllegalEvent(RelanceError):
    """The event cannot happen now; the state is as it was."""

    code = "illegal_event"
    exit_code = 3


class Stage(IntEnum):
    """Where a host stands between blocked and in service, and beside it failed and excluded."""

    BLOCKED = 0
    PRESERVING = 1
    PRESERVED = 2
    RESTORING = 3
    RESTORED = 4
    INSPECTING = 5
    INSPECTED = 6
    RECONNECTING = 7
    RELEASED = 8
    IN_SERVICE = 9
    FAILED = 10
    EXCLUDED = 11


# By name of their own: Python 3.11 looks `Stage.INSPECTED` up five times slower than a name of the module.
BLOCKED, PRESERVING, PRESERVED, RESTORING, RESTORED, INSPECTING, INSPECTED = tuple(Stage)[:7]
RECONNECTING, RELEASED, IN_SERVICE, FAILED, EXCLUDED = tuple(Stage)[7:]


class Turn(IntEnum):
    """What can happen to a host's stage."""

    PRESERVE_ISSUED = 0
    PRESERVE_OK = 1
    PRESERVE_ENDED = 2
    RESTORE_ISSUED = 3
    RESTORE_OK = 4
    RESTORE_ENDED = 5
    INSPECT_ISSUED = 6
    INSPECT_OK = 7
    INSPECT_ENDED = 8
    RECONNECT_ISSUED = 9
    RECONNECT_OK = 10
    RECONNECT_ENDED = 11
    RECONNECT_WITHDRAWN = 12
    HOST_CHECK_PASSED = 13
    SUSPECT = 14
    INFECTED = 15
    CONDEMNED = 16
    ISOLATED = 17
    ISOLATED_INFECTED = 18
    GIVEN_UP = 19
    EXCLUDED = 20
    RETRIED = 21
    DECLARED = 22
    WITHDRAWN_INFECTED = 23
    DISPROVED = 24


S, T = Stage, Turn

TABLE: dict[tuple[Stage, Turn], Stage] = {
    (S.BLOCKED, T.PRESERVE_ISSUED): S.PRESERVING,
    (S.PRESERVING, T.PRESERVE_OK): S.PRESERVED,
    (S.PRESERVING, T.PRESERVE_ENDED): S.BLOCKED,
    (S.PRESERVED, T.PRESERVE_ISSUED): S.PRESERVING,
    (S.BLOCKED, T.RESTORE_ISSUED): S.RESTORING,
    (S.PRESERVED, T.RESTORE_ISSUED): S.RESTORING,
    (S.RESTORING, T.RESTORE_OK): S.RESTORED,
    (S.RESTORING, T.RESTORE_ENDED): S.PRESERVED,
    (S.RESTORED, T.INSPECT_ISSUED): S.INSPECTING,
    (S.INSPECTING, T.INSPECT_OK): S.INSPECTED,
    (S.INSPECTING, T.INSPECT_ENDED): S.RESTORED,
    (S.INSPECTED, T.RECONNECT_ISSUED): S.RECONNECTING,
    (S.RECONNECTING, T.RECONNECT_OK): S.RELEASED,
    (S.RECONNECTING, T.RECONNECT_ENDED): S.INSPECTED,
    (S.RECONNECTING, T.RECONNECT_WITHDRAWN): S.RESTORED,
    (S.RECONNECTING, T.WITHDRAWN_INFECTED): S.BLOCKED,
    (S.RELEASED, T.HOST_CHECK_PASSED): S.IN_SERVICE,
    (S.INSPECTED, T.SUSPECT): S.RESTORED,
    (S.INSPECTED, T.DISPROVED): S.RESTORED,
    (S.INSPECTED, T.INFECTED): S.PRESERVED,
    (S.RESTORED, T.INFECTED): S.PRESERVED,
    (S.RESTORED, T.CONDEMNED): S.PRESERVED,
    (S.INSPECTED, T.CONDEMNED): S.PRESERVED,
    (S.RELEASED, T.ISOLATED): S.RESTORED,
    (S.IN_SERVICE, T.ISOLATED): S.RESTORED,
    (S.RELEASED, T.ISOLATED_INFECTED): S.BLOCKED,
    (S.IN_SERVICE, T.ISOLATED_INFECTED): S.BLOCKED,
    (S.FAILED, T.RETRIED): S.BLOCKED,
    (S.EXCLUDED, T.RETRIED): S.BLOCKED,
    (S.BLOCKED, T.DECLARED): S.RESTORED,
    (S.PRESERVED, T.DECLARED): S.RESTORED,
    (S.FAILED, T.DECLARED): S.RESTORED,
    **{(stage, T.GIVEN_UP): S.FAILED for stage in (S.BLOCKED, S.PRESERVED, S.RESTORED, S.INSPECTED)},
    **{(stage, T.EXCLUDED): S.EXCLUDED for stage in (S.BLOCKED, S.PRESERVED, S.RESTORED, S.INSPECTED, S.FAILED)},
}

# Tuples, for looking a member up in one compares identities; a set would hash an IntEnum in Python.
OUT = (S.RELEASED, S.IN_SERVICE)
GONE = (S.FAILED, S.EXCLUDED)
BEFORE_RESTORE = (S.BLOCKED, S.PRESERVED)
MOVING = (S.PRESERVING, S.RESTORING, S.INSPECTING, S.RECONNECTING)

# What an action's start, success and any other end mean for the stage, per step of the host's own life.
STARTS = {
    "preserve": T.PRESERVE_ISSUED,
    "restore": T.RESTORE_ISSUED,
    "inspect": T.INSPECT_ISSUED,
    "reconnect": T.RECONNECT_ISSUED,
}
SUCCEEDS = {
    "preserve": T.PRESERVE_OK,
    "restore": T.RESTORE_OK,
    "inspect": T.INSPECT_OK,
    "reconnect": T.RECONNECT_OK,
}
ENDS = {
    "preserve": T.PRESERVE_ENDED,
    "restore": T.RESTORE_ENDED,
    "inspect": T.INSPECT_ENDED,
    "reconnect": T.RECONNECT_ENDED,
}


_TURNS = len(Turn)
_FLAT: list[Stage | None] = [TABLE.get((stage, turn)) for stage in Stage for turn in Turn]


def after(stage: Stage, turn: Turn) -> Stage:
    """Where `turn` leads from `stage`. Raises IllegalEvent if it cannot happen there."""
    found = _FLAT[stage * _TURNS + turn]
    if found is None:
        raise IllegalEvent(
            f"A host that is {stage.name.lower()} cannot see {turn.name.lower().replace('_', ' ')}.",
            rule="stages.table",
            stage=stage.name.lower(),
            turn=turn.name.lower(),
        )
    return found
