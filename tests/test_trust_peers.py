"""Signatures against asyncssh, which knows nothing of us: what one of the two makes counts for the other."""

from __future__ import annotations

import asyncssh
import pytest
from asyncssh.packet import PacketDecodeError
from asyncssh.sshsig import create_sshsig, import_allowed_signers, validate_sshsig
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import Refused
from orchestrator.trust.keys import SK_ECDSA, SK_ED25519, PrivateKey, parse_public, public_of
from orchestrator.trust.signature import sign, verify
from tests.security_keys import TOUCH, SecurityKey

NAMESPACE = "relance-verdict@v1"
ORDER = b'{"kind":"freeze"}'
PEOPLE: dict[str, PrivateKey] = {
    "ed25519": Ed25519PrivateKey.from_private_bytes(bytes(range(32))),
    "p256": ec.derive_private_key(11, ec.SECP256R1()),
    "p384": ec.derive_private_key(12, ec.SECP384R1()),
    "p521": ec.derive_private_key(13, ec.SECP521R1()),
    "rsa": rsa.generate_private_key(65537, 3072),
}
GOOD = sign(PEOPLE["ed25519"], NAMESPACE, ORDER)
LINE = public_of(PEOPLE["ed25519"]).line


def theirs(armored: str, message: bytes, line: str) -> bool:
    """Whether asyncssh accepts it, from this key, in our namespace."""
    roster = import_allowed_signers(f'analyst-1 namespaces="{NAMESPACE}" {line}\n')
    try:
        return bool(validate_sshsig(message, armored.encode(), "analyst-1", roster))
    except (ValueError, PacketDecodeError):
        return False


def ours(armored: str, message: bytes, line: str) -> bool:
    """Whether we do."""
    try:
        verify(armored, NAMESPACE, message, line)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("kind", PEOPLE)
def test_what_asyncssh_signs_counts_here(kind: str) -> None:
    pem = PEOPLE[kind].private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    key = asyncssh.import_private_key(pem)
    line = public_of(PEOPLE[kind]).line
    for hash_name in ("sha512", "sha256"):
        made = create_sshsig([key], ORDER, hash_name=hash_name, namespace=NAMESPACE).decode()
        assert ours(made, ORDER, line)
        assert not ours(made, ORDER + b" ", line)


@pytest.mark.parametrize("kind", PEOPLE)
def test_what_is_signed_here_counts_for_asyncssh(kind: str) -> None:
    line = public_of(PEOPLE[kind]).line
    armored = sign(PEOPLE[kind], NAMESPACE, ORDER)
    assert theirs(armored, ORDER, line)
    assert not theirs(armored, ORDER + b" ", line)
    assert not theirs(sign(PEOPLE[kind], "relance-order@v1", ORDER), ORDER, line)


@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
@pytest.mark.parametrize(("flags", "said"), [(5, None), (1, None), (4, None), (0, None), (0, 1), (1, 5)])
def test_a_security_keys_signature_counts_for_both_and_here_only_if_somebody_touched_it(
    kind: str, flags: int, said: int | None
) -> None:
    key = SecurityKey(kind)
    armored = key.sign(NAMESPACE, ORDER, flags=flags, said=said)
    assert theirs(armored, ORDER, key.line) == (said is None)
    assert ours(armored, ORDER, key.line) == (said is None and bool(flags & TOUCH))
    assert parse_public(key.line).blob == asyncssh.import_public_key(key.line).public_data


@settings(deadline=None)
@given(at=st.integers(0, len(GOOD) - 1), character=st.sampled_from("AB+/= \n-x"))
def test_whatever_character_of_a_signature_changes_nothing_counts_here_that_does_not_count_there(
    at: int, character: str
) -> None:
    changed = GOOD[:at] + character + GOOD[at + 1 :]
    assert theirs(changed, ORDER, LINE) or not ours(changed, ORDER, LINE)
