"""Who logs in to practice hosts: with root a user of its own for as long as a fleet runs, else the caller.

Never gives that user a password, a home or a place on the disk, and never removes it while another fleet runs.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import Unusable

USER = "relance-drill"
_LOCK = Path("/run/relance-drill.lock")
_PRIVSEP = Path("/run/sshd")


@dataclass(frozen=True, slots=True)
class Account:
    """The user logins run as. `handle` holds the share in the user that the last fleet to end finds unshared."""

    name: str
    uid: int
    gid: int
    handle: int = -1


def claim() -> Account:
    """The account for this fleet, made when run by root and missing; raises Unusable when it cannot be made."""
    if os.geteuid() != 0:
        own = pwd.getpwuid(os.geteuid())
        return Account(own.pw_name, own.pw_uid, own.pw_gid)
    _PRIVSEP.mkdir(mode=0o755, exist_ok=True)
    handle = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)  # waits only while a last fleet removes the user
    try:
        _make()
    except Unusable:
        os.close(handle)
        raise
    found = pwd.getpwnam(USER)
    return Account(USER, found.pw_uid, found.pw_gid, handle)


def _make() -> None:
    """Adds the user unless it exists; another fleet may be adding it at the same time."""
    if not exists():
        try:
            # '*' and not '!': sshd refuses a locked account. dash: bash start-up costs five times as much.
            options = ("--system", "--no-create-home", "--home-dir", "/", "--gid", "nogroup")
            _run("useradd", *options, "--shell", "/bin/dash", "--password", "*", USER)
        except Unusable:
            if not exists():
                raise


def release(account: Account) -> None:
    """Gives the account back; the last fleet removes the user."""
    if account.handle < 0:
        return
    with suppress(BlockingIOError):
        fcntl.flock(account.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(Unusable):
            _run("userdel", USER)
    os.close(account.handle)


def exists() -> bool:
    """Whether the machine has the practice user now."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unusable(f"{words[0]} cannot be run: {error}. The drill needs it when started by root.") from error
    if done.returncode:
        raise Unusable(f"{words[0]} failed: {done.stderr.strip()}.", command=" ".join(words))
