"""The user of practice logins: made by root alone, shared by fleets, gone with the last."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from orchestrator.errors import Unusable
from orchestrator.practice import fleet_account

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="the user is made by root alone")


@root_only
def test_two_fleets_share_the_user_and_giving_one_share_back_keeps_it() -> None:
    first, second = fleet_account.claim(), fleet_account.claim()
    assert (first.name, first.uid) == (second.name, second.uid)
    fleet_account.release(first)
    assert fleet_account.exists()
    fleet_account.release(second)


@root_only
def test_the_user_has_no_home_and_no_password_but_is_not_locked() -> None:
    account = fleet_account.claim()
    try:
        entry = pwd.getpwnam(account.name)
        assert (entry.pw_dir, entry.pw_shell) == ("/", "/bin/dash")
        shadow = next(line for line in Path("/etc/shadow").read_text().splitlines() if line.startswith(account.name))
        assert shadow.split(":")[1] == "*"
        assert Path("/run/sshd").is_dir()
    finally:
        fleet_account.release(account)


def test_without_root_logins_are_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "geteuid", lambda: nobody.pw_uid)
    account = fleet_account.claim()
    assert (account.name, account.uid) == ("nobody", nobody.pw_uid)
    fleet_account.release(account)


@root_only
def test_a_machine_on_which_no_user_can_be_made_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_account, "exists", lambda: False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unusable, match="useradd cannot be run"):
        fleet_account.claim()
