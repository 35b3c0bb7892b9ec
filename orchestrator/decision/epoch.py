"""What a clock that jumped does to the core: nothing, until a person confirmed it; then every time moves with it.

Core time never follows a jump by itself. An `Epoch` lets it continue from the true clock, which may be earlier: every
stored time is shifted alike, so that soaks, waits, claims and ages have left exactly what they had left before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import fields, is_dataclass
from typing import Any

from orchestrator.decision.events import Epoch
from orchestrator.decision.state import DERIVED, State

# Fields that hold times and do not say so by `_us` at their end.
TIMES = frozenset(("recalls", "recent", "exceptions", "claims", "holds"))
# Not the core's times: of the real world (backups, T0, how long a person is of the roster), or as somebody signed them.
OF_THE_WORLD = frozenset(("restore_point_us", "facts", "roster", "orders"))
_LEFT = OF_THE_WORLD | DERIVED | {"at_us", "jump_us"}


def passed(state: State, event: Epoch, at_us: int) -> None:
    """Time continues at `at_us`, and what the doubt had frozen is looked at again."""
    for name, value in vars(state).items():
        if name not in _LEFT:
            setattr(state, name, _moved(name, value, event.delta_us))
    state.timers = [(due_us + event.delta_us, what, number) for due_us, what, number in state.timers]
    state.posts_seen.clear()
    state.jump_us, state.clock_doubted, state.clock_confirmed = 0, False, False
    state.dirty.update(dict.fromkeys(range(len(state.stage))))


def _moved(name: str, value: Any, delta_us: int) -> Any:
    """The value of a field of this name, with its times moved in place; 0 says that something never was."""
    if isinstance(value, int):
        return value + delta_us if value and (name in TIMES or name.endswith("_us")) else value
    if isinstance(value, list | deque | dict):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            value[key] = _moved(name, one, delta_us)
    elif is_dataclass(value):
        for field in fields(value):
            setattr(value, field.name, _moved(field.name, getattr(value, field.name), delta_us))
    return value


def expired(state: State, signed_us: int, now_us: int) -> bool:
    """Whether a signed document has expired, by the core's time and by a clock that jumped: its signer had either."""
    return signed_us <= now_us + min(0, state.jump_us)


def heard(state: State, signed_us: int, now_us: int, longest_s: int) -> int:
    """The core's time for a signed end within `longest_s`; 0 if it is none.

    While a jump is unconfirmed the signer's clock may have jumped as well or not: the earlier end of the two counts.
    """
    last_us = now_us + longest_s * 1_000_000
    if not state.jump_us:
        return signed_us if now_us < signed_us <= last_us else 0  # most often
    both = (signed_us, signed_us - state.jump_us)
    return min((end_us for end_us in both if now_us < end_us <= last_us), default=0)
