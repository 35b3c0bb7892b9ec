"""Keys that never leave an agent or a security key sign through ssh-keygen; what does not count is refused at once."""

from __future__ import annotations

import base64
import os
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from orchestrator.interfaces.ssh_keygen import held_elsewhere, sign_elsewhere
from orchestrator.trust import keys
from orchestrator.trust.keys import SK_ECDSA, SK_ED25519, BadKey
from orchestrator.trust.signature import BadSignature, verify
from tests.command_line import Terminal, terminal
from tests.security_keys import TOUCH, SecurityKey, string

SPACE, TEXT = "relance-order@v1", b'{"an":"order"}'
FAILURE, IDENTITIES_ASKED, IDENTITIES, SIGN_ASKED, SIGNED = 5, 11, 12, 13, 14


class Agent(socketserver.ThreadingUnixStreamServer):
    """An agent that holds one security key in software, and lies about who touched it as far as a test wishes."""

    def __init__(self, path: Path, key: SecurityKey, flags: int) -> None:
        super().__init__(str(path), Asked)
        self.key, self.flags = key, flags


class Asked(socketserver.StreamRequestHandler):
    """One connection, by draft-miller-ssh-agent."""

    def handle(self) -> None:
        """Answers what it is asked, one message after the other."""
        agent = cast("Agent", self.server)
        while size := self.rfile.read(4):
            body = self.rfile.read(int.from_bytes(size, "big"))
            self.wfile.write(string(self._answer(agent, body)))

    def _answer(self, agent: Agent, body: bytes) -> bytes:
        if body[0] == IDENTITIES_ASKED:
            return bytes([IDENTITIES]) + (1).to_bytes(4, "big") + string(agent.key.blob) + string(b"in software")
        if body[0] != SIGN_ASKED:
            return bytes([FAILURE])
        key_size = int.from_bytes(body[1:5], "big")
        at = 5 + key_size
        text = body[at + 4 : at + 4 + int.from_bytes(body[at : at + 4], "big")]
        return bytes([SIGNED]) + string(agent.key.signed(text, agent.flags))


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real ssh-agent holding an operator's key; the file of its public half. The private file is gone."""
    socket, key = tmp_path / "agent", tmp_path / "held"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        keys.generate(key)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        while not socket.exists():
            assert process.poll() is None
        subprocess.run(["ssh-add", "-q", str(key)], check=True)
        key.unlink()
        yield key.with_name("held.pub")
    finally:
        process.terminate()
        process.wait()


def test_a_key_that_an_agent_holds_signs_though_no_file_holds_it(agent: Path) -> None:
    assert held_elsewhere(agent) == "agent"
    verify(sign_elsewhere(agent, "agent", SPACE, TEXT), SPACE, TEXT, agent.read_text().strip())


def test_a_key_the_agent_does_not_hold_is_a_sentence(agent: Path, tmp_path: Path) -> None:
    keys.generate(tmp_path / "other")
    (tmp_path / "other").unlink()
    with pytest.raises(BadKey) as caught:
        sign_elsewhere(tmp_path / "other.pub", "agent", SPACE, TEXT)
    assert caught.value.rule == "key.refused"
    assert "other.pub" in caught.value.sentence


def test_a_public_key_without_an_agent_is_a_sentence(agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(BadKey) as caught:
        sign_elsewhere(agent, "agent", SPACE, TEXT)
    assert caught.value.rule == "key.agent"


def test_without_ssh_keygen_on_the_machine_it_is_a_sentence(
    agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadKey) as caught:
        sign_elsewhere(agent, "agent", SPACE, TEXT)
    assert caught.value.rule == "key.ssh-keygen"


@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
@pytest.mark.parametrize(("flags", "rule"), [(TOUCH, ""), (0, "signature.touch")])
def test_a_security_key_in_an_agent_signs_only_if_somebody_touched_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, flags: int, rule: str
) -> None:
    key, public = SecurityKey(kind), tmp_path / "token.pub"
    public.write_text(f"{key.line}\n")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    with Agent(tmp_path / "agent", key, flags) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            verify(sign_elsewhere(public, held_elsewhere(public), SPACE, TEXT), SPACE, TEXT, key.line)
            refused = ""
        except BadSignature as error:
            refused = error.rule
        server.shutdown()
    assert refused == rule


def test_the_file_of_a_security_key_is_known_by_what_it_names(tmp_path: Path) -> None:
    handle = tmp_path / "token"
    body = base64.b64encode(b"openssh-key-v1\0" + string(SK_ED25519.encode())).decode()
    handle.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
    assert held_elsewhere(handle) == "security key"
    with pytest.raises(BadKey) as caught:
        sign_elsewhere(handle, "security key", SPACE, TEXT)
    assert caught.value.rule == "key.refused"


def test_a_key_in_a_file_is_held_by_nobody_else(tmp_path: Path) -> None:
    keys.generate(tmp_path / "plain")
    assert held_elsewhere(tmp_path / "plain") == ""
    (tmp_path / "broken").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nA\n")
    assert held_elsewhere(tmp_path / "broken") == ""
    with pytest.raises(BadKey):
        held_elsewhere(tmp_path / "nowhere")


def test_orders_and_verdicts_are_signed_by_an_agent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    try:
        with terminal(tmp_path, capsys) as here:
            here.here.quarantined("foundations")
            for who, words in (
                ("operator-1", ("freeze",)),
                ("analyst-1", ("verdict", "sign", "CLEAN", "ad-1", "--method", "read", "--examined", "jobs")),
            ):
                said = here.types.json(*words, "--person", who, "--key", str(_held(here, who)))
                assert said.code == 0, said.out
                assert "You sign" in said.err
            assert here.types.json("queue").document["hosts"]
    finally:
        process.terminate()
        process.wait()


def _held(here: Terminal, who: str) -> Path:
    """Puts a person's key into the agent and leaves only its public half in a file."""
    private = here.here.key_file(who)
    while not Path(os.environ["SSH_AUTH_SOCK"]).exists():
        pass
    subprocess.run(["ssh-add", "-q", str(private)], check=True)
    public = private.with_suffix(".pub")
    public.write_text(keys.public_of(keys.load_private(private)).line + "\n")
    private.unlink()
    return public
