"""Signs with a key that never comes into this process, an agent's or a security key's, by way of `ssh-keygen -Y sign`.

Never believes what came back: a signature that our own verifier refuses (nobody touched the key, another key answered)
is none. Never hands `ssh-keygen` anything but the text that was shown.
"""

from __future__ import annotations

import base64
import binascii
import os
import subprocess
from pathlib import Path

from orchestrator.trust.keys import FILE_BYTES_MAX, SECURITY_KEYS, BadKey, parse_public
from orchestrator.trust.signature import claimed_signer, verify

ANSWER_WITHIN_S = 120  # a person looks for the key, types its PIN and touches it
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----"


def held_elsewhere(path: Path) -> str:
    """`agent` where the file is a public key, `security key` where it is one's handle, empty where it holds the key.

    Raises BadKey where it cannot be read.
    """
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX).decode("ascii", "replace")
    except OSError as error:
        raise BadKey(f"{path} cannot be read: {error.strerror}.", rule="key.file", file=str(path)) from error
    if not text.startswith("-----"):
        parse_public(text.splitlines()[0] if text else "")
        return "agent"
    body = "".join(line for line in text.splitlines() if not line.startswith("-----"))
    try:
        named = base64.b64decode(body) if text.startswith(PRIVATE) else b""
    except binascii.Error:
        return ""  # whoever opens it says what is wrong with it
    return "security key" if any(kind.encode("ascii") in named for kind in SECURITY_KEYS) else ""


def sign_elsewhere(path: Path, holder: str, namespace: str, text: bytes) -> str:
    """The armoured signature of the key that `path` names. Raises BadKey where there is none, BadSignature where it
    does not count."""
    if holder == "agent" and not os.environ.get("SSH_AUTH_SOCK"):
        sentence = f"{path} is a public key, and no agent is at hand to sign with it: SSH_AUTH_SOCK is not set."
        raise BadKey(sentence, rule="key.agent", file=str(path))
    command = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(path)]
    try:
        done = subprocess.run(command, input=text, capture_output=True, timeout=ANSWER_WITHIN_S, check=False)
    except OSError as error:
        raise BadKey(f"ssh-keygen cannot be run: {error.strerror}.", rule="key.ssh-keygen") from error
    except subprocess.TimeoutExpired as error:
        sentence = f"The {holder} did not sign within {ANSWER_WITHIN_S} s: nothing is signed."
        raise BadKey(sentence, rule="key.waiting", file=str(path)) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().replace("\n", "; ")
        raise BadKey(f"The {holder} did not sign with {path}: {said[:300]}.", rule="key.refused", file=str(path))
    armoured = done.stdout.decode("ascii", "replace")
    public = parse_public(path.read_text("ascii").splitlines()[0]) if holder == "agent" else claimed_signer(armoured)
    verify(armoured, namespace, text, public.line)
    return armoured
