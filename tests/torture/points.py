"""The named points at which a process of a tortured round dies, stops, or meets a failing disk.

Never changes what a wrapped function does. One plan file says at which point it happens next; whoever gets there first
takes it away, so that nothing happens twice.

    plan    {"point", "pass", "how"}: at which passage of the point; `kill`, `linger` (as on a slow disk, then die),
            `stop`, or an errno's name
    struck  the process it happened to
"""

from __future__ import annotations

import errno
import functools
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LINGER_S = 0.4
Place = tuple[Any, str]  # what holds a function, and the name it has there


def named(places: Iterable[str]) -> list[str]:
    """Both sides of each place."""
    return [f"{name}.{side}" for name in places for side in ("before", "after")]


def wrap(root: Path, places: dict[str, Place]) -> None:
    """From now on this process looks at the plan of the round wherever it passes one of these places."""
    passed: Counter[str] = Counter()
    for name, (owner, attribute) in places.items():
        setattr(owner, attribute, _wrapped(owner, attribute, root, name, passed))


def _wrapped(owner: Any, attribute: str, root: Path, name: str, passed: Counter[str]) -> Any:
    inner = vars(owner)[attribute]
    bound = isinstance(inner, classmethod)
    function = inner.__func__ if bound else inner

    @functools.wraps(function)
    def around(*words: Any, **named_words: Any) -> Any:
        _pass(root, f"{name}.before", passed)
        found = function(*words, **named_words)
        _pass(root, f"{name}.after", passed)
        return found

    return classmethod(around) if bound else around


def _pass(root: Path, point: str, passed: Counter[str]) -> None:
    try:
        plan = json.loads((root / "plan").read_bytes())
    except FileNotFoundError:
        return
    if plan["point"] != point:
        return
    passed[point] += 1
    if passed[point] < plan["pass"] or not _mine(root):
        return
    if plan["how"] in ("kill", "linger"):
        time.sleep(LINGER_S if plan["how"] == "linger" else 0)
        os.kill(os.getpid(), signal.SIGKILL)
    elif plan["how"] == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        code = getattr(errno, plan["how"])
        raise OSError(code, os.strerror(code))


def _mine(root: Path) -> bool:
    (root / f"struck.{os.getpid()}").write_text(str(os.getpid()))
    try:
        (root / "plan").unlink()
    except FileNotFoundError:
        return False
    (root / f"struck.{os.getpid()}").rename(root / "struck")
    return True
