"""Where a live process listens: a socket only its user can reach, loopback, nothing left behind."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.client import NOTE, PATH_BYTES_MAX, Client, fallback_folder, socket_of
from orchestrator.errors import Unusable, UsageError
from orchestrator.interfaces.serving import serve
from tests.live_hospital import INCIDENT, Hospital, hospital


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with hospital(tmp_path_factory.mktemp("serving") / "state") as found:
        yield found


def long_folder(tmp_path: Path) -> Path:
    folder = tmp_path / ("a-long-name-" * 8) / "state"
    folder.mkdir(parents=True, mode=0o700)
    assert len(os.fsencode(folder / "socket")) > PATH_BYTES_MAX
    return folder


def test_only_the_processes_user_reaches_the_socket(here: Hospital, tmp_path: Path) -> None:
    with serve(here.engine, tmp_path, 0) as listening:
        mode = listening.socket.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600


def test_nothing_is_left_when_it_ends(here: Hospital, tmp_path: Path) -> None:
    with serve(here.engine, tmp_path, 0):
        assert Client(tmp_path).get("head")["incident"] == INCIDENT
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="relance run"):
        Client(tmp_path).get("head")


def test_a_socket_left_by_a_killed_process_is_replaced(here: Hospital, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "socket"))
    with pytest.raises(UsageError):
        Client(tmp_path).get("head")
    with serve(here.engine, tmp_path, 0):
        assert Client(tmp_path).get("head")["incident"] == INCIDENT


def test_a_path_too_long_for_the_kernel_falls_back_to_a_private_folder(here: Hospital, tmp_path: Path) -> None:
    folder = long_folder(tmp_path)
    with serve(here.engine, folder, 0) as listening:
        assert (folder / NOTE).read_text().strip() == str(listening.socket)
        assert stat.S_IMODE(listening.socket.parent.stat().st_mode) == 0o700
        assert socket_of(folder) == listening.socket
        assert Client(folder).get("head")["incident"] == INCIDENT
    assert list(folder.iterdir()) == []
    assert not listening.socket.parent.exists()


def test_the_private_folder_stands_where_the_session_keeps_such_things(
    here: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert fallback_folder(tmp_path).parent == tmp_path / "run"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    assert fallback_folder(tmp_path).parent != tmp_path / "nowhere"


def test_a_folder_others_can_look_into_is_not_used(
    here: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "r"))
    folder = long_folder(tmp_path)
    fallback_folder(folder).mkdir()
    fallback_folder(folder).chmod(0o755)
    with pytest.raises(Unusable, match="private folder"), serve(here.engine, folder, 0):
        pass


def test_a_taken_port_is_a_sentence_that_says_what_to_do(here: Hospital, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match="--port"), serve(here.engine, tmp_path, port):
            pass
    assert not (tmp_path / "socket").exists()


def test_a_port_that_is_none_is_a_sentence(here: Hospital, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--port"), serve(here.engine, tmp_path, 99999):
        pass


def test_a_folder_that_is_gone_is_a_sentence(here: Hospital, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="socket"), serve(here.engine, tmp_path / "nowhere", 0):
        pass
