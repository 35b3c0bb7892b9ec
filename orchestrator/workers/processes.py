"""Ends every process of one invocation, found by the word RELANCE_INVOCATION=ID in its environment.

Never trusts process groups (Ansible's workers leave theirs) and never touches a process of another user.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Collection, Iterator

from orchestrator.clock import SystemClock

VARIABLE = "RELANCE_INVOCATION"
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_AGAIN_S = 0.02
_GRACE_S = 0.25
_CLOCK = SystemClock()


def become_subreaper() -> None:
    """Orphans among our descendants become our children, so that none escapes to init (prctl(2))."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with(parent: int) -> None:
    """This process is killed when its parent ends, however that ends (prctl(2)), or has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def carriers(invocation: str) -> list[int]:
    """Pids of our own uid whose environment carries this invocation; zombies have no environment and do not count."""
    word = f"{VARIABLE}={invocation}".encode()
    return [pid for pid in _own_pids() if word in _environment(pid)]


def end_all(invocation: str, *, spare: Collection[int] = (), limit_s: float = 1.5) -> list[int]:
    """SIGTERM, then SIGKILL after a quarter of a second, until none is left; returns those alive at the limit.

    A process that forks while it is being killed is found by the next look.
    """
    begun_us = _CLOCK.elapsed_us()
    while left := [pid for pid in carriers(invocation) if pid not in spare]:
        waited_s = (_CLOCK.elapsed_us() - begun_us) / 1e6
        if waited_s > limit_s:
            break
        for pid in left:
            _signal(pid, invocation, signal.SIGTERM if waited_s < _GRACE_S else signal.SIGKILL)
        _CLOCK.sleep_s(_LOOK_AGAIN_S)
    return left


def _own_pids() -> Iterator[int]:
    uid = os.getuid()
    with os.scandir("/proc") as entries:
        for entry in entries:
            if not entry.name.isdigit():
                continue
            try:
                if entry.stat().st_uid == uid:
                    yield int(entry.name)
            except FileNotFoundError:
                continue


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # ended meanwhile, or not ours to read
        return []


def _signal(pid: int, invocation: str, number: signal.Signals) -> None:
    """Signal through a pidfd, looking again behind it, so that a reused pid is never hit."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if f"{VARIABLE}={invocation}".encode() in _environment(pid):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
