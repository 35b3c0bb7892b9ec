"""Signatures: `ssh-keygen -Y` accepts ours, we accept its own, and every attack is refused for a reason of its own."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.trust.keys import SK_ECDSA, SK_ED25519, BadKey, PrivateKey, load_private, parse_public, public_of
from orchestrator.trust.signature import (
    BEGIN,
    END,
    MESSAGE_BYTES_MAX,
    BadSignature,
    claimed_signer,
    sign,
    verify,
)
from tests.security_keys import PIN, TOUCH, SecurityKey, armoured, string, text_to_sign

NAMESPACE = "relance-order@v1"
ORDER = b'{"kind":"wave.launch","subject":"laboratory"}'
KINDS = [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "3072")]

ANALYST = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
INTRUDER = Ed25519PrivateKey.from_private_bytes(bytes(32))
EC_KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
RSA_KEY = generate_private_key(65537, 3072)


def ssh(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ssh-keygen", *words], input=given, capture_output=True, check=False)


def line(key: PrivateKey) -> str:
    return public_of(key).line


def opened(armored: str) -> bytes:
    return base64.b64decode("".join(armored.split("\n")[1:-2]))


def forged(
    key: PrivateKey = ANALYST,
    *,
    magic: bytes = b"SSHSIG",
    version: int = 1,
    namespace: bytes = NAMESPACE.encode(),
    reserved: bytes = b"",
    hash_name: bytes = b"sha512",
    signature: bytes | None = None,
    tail: bytes = b"",
) -> str:
    """A signature put together by hand, wrong in the part the caller names."""
    if signature is None:
        assert isinstance(key, Ed25519PrivateKey)
        signature = string(b"ssh-ed25519") + string(key.sign(text_to_sign(namespace, ORDER)))
    parts = (public_of(key).blob, namespace, reserved, hash_name, signature)
    return armoured(magic + version.to_bytes(4, "big") + b"".join(map(string, parts)) + tail)


def reason(armored: str, *, key: PrivateKey = ANALYST, message: bytes = ORDER, namespace: str = NAMESPACE) -> str:
    with pytest.raises(BadSignature) as caught:
        verify(armored, namespace, message, line(key))
    assert caught.value.exit_code == 3
    assert caught.value.sentence.endswith(".")
    return caught.value.rule


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "-".join(kind))
def person(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key file of a person, of every kind accepted."""
    path = tmp_path_factory.mktemp("person") / "key"
    kind, bits = request.param
    assert ssh("-q", "-t", kind, "-b", bits, "-N", "", "-f", str(path)).returncode == 0
    return path


@pytest.mark.parametrize("hash_name", ["sha512", "sha256"])
def test_an_order_signed_with_ssh_keygen_counts(person: Path, hash_name: str) -> None:
    made = ssh("-Y", "sign", "-f", str(person), "-n", NAMESPACE, "-O", f"hashalg={hash_name}", given=ORDER)
    public = person.with_suffix(".pub").read_text()
    verify(made.stdout.decode(), NAMESPACE, ORDER, public)
    assert claimed_signer(made.stdout.decode()) == parse_public(public)


def test_an_order_signed_here_counts_for_ssh_keygen_and_a_changed_one_does_not(person: Path, tmp_path: Path) -> None:
    armored = sign(load_private(person), NAMESPACE, ORDER)
    verify(armored, NAMESPACE, ORDER, person.with_suffix(".pub").read_text())
    (tmp_path / "order.sig").write_text(armored)
    (tmp_path / "allowed").write_text(f"analyst {person.with_suffix('.pub').read_text()}")
    words = ["-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "analyst", "-s", str(tmp_path / "order.sig"), "-n"]
    assert ssh(*words, NAMESPACE, given=ORDER).returncode == 0
    assert ssh(*words, NAMESPACE, given=ORDER + b" ").returncode != 0
    assert ssh(*words, "relance-verdict@v1", given=ORDER).returncode != 0


@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
@pytest.mark.parametrize("flags", [TOUCH, TOUCH | PIN])
def test_an_order_signed_with_a_security_key_counts_here_and_for_ssh_keygen(
    kind: str, flags: int, tmp_path: Path
) -> None:
    key = SecurityKey(kind)
    armored = key.sign(NAMESPACE, ORDER, flags=flags)
    verify(armored, NAMESPACE, ORDER, key.line)
    assert claimed_signer(armored) == parse_public(key.line)
    (tmp_path / "order.sig").write_text(armored)
    (tmp_path / "allowed").write_text(f"analyst {key.line}\n")
    words = ["-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "analyst", "-s", str(tmp_path / "order.sig"), "-n"]
    assert ssh(*words, NAMESPACE, given=ORDER).returncode == 0
    assert ssh(*words, NAMESPACE, given=ORDER + b" ").returncode != 0


@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
def test_a_security_key_nobody_touched_or_whose_pin_nobody_gave_is_refused(kind: str) -> None:
    key, other = SecurityKey(kind), SecurityKey(kind, application=b"ssh:other")
    rules = [
        (key.sign(NAMESPACE, ORDER, flags=PIN), key.line, "signature.touch"),
        (key.sign(NAMESPACE, ORDER, flags=0), key.line, "signature.touch"),
        (key.sign(NAMESPACE, ORDER, flags=TOUCH), f"verify-required {key.line}", "signature.pin"),
        (key.sign(NAMESPACE, ORDER, flags=0, said=TOUCH), key.line, "signature.mismatch"),
        (other.sign(NAMESPACE, ORDER), key.line, "signature.key"),
        (armoured(opened(key.sign(NAMESPACE, ORDER))[:-1]), key.line, "signature.truncated"),
        (key.sign(NAMESPACE, hashlib.sha256(ORDER).digest()), key.line, "signature.over-hash"),
    ]
    for armored, known, rule in rules:
        with pytest.raises(BadSignature) as caught:
            verify(armored, NAMESPACE, ORDER, known)
        assert caught.value.rule == rule
    verify(key.sign(NAMESPACE, ORDER), NAMESPACE, ORDER, f"verify-required {key.line}")


def test_a_key_in_a_file_does_not_pass_for_a_security_key_nor_the_other_way_round() -> None:
    key = SecurityKey(SK_ED25519)
    counted = string(SK_ED25519.encode()) + string(bytes(64)) + b"\1\0\0\0\1"
    assert reason(forged(signature=counted)) == "signature.algorithm"
    plain = string(b"ssh-ed25519") + string(bytes(64))
    parts = (key.blob, NAMESPACE.encode(), b"", b"sha512", plain)
    with pytest.raises(BadSignature, match="not accepted for a key of kind sk-"):
        verify(armoured(b"SSHSIG\0\0\0\1" + b"".join(map(string, parts))), NAMESPACE, ORDER, key.line)


def test_our_ed25519_signature_is_ssh_keygens_byte_for_byte(tmp_path: Path) -> None:
    assert ssh("-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")).returncode == 0
    made = ssh("-Y", "sign", "-f", str(tmp_path / "key"), "-n", NAMESPACE, given=ORDER)
    assert sign(load_private(tmp_path / "key"), NAMESPACE, ORDER) == made.stdout.decode()


def rsa_signed(algorithm: bytes, scheme: hashes.HashAlgorithm, key: RSAPrivateKey = RSA_KEY) -> bytes:
    return string(algorithm) + string(key.sign(text_to_sign(NAMESPACE.encode(), ORDER), padding.PKCS1v15(), scheme))


def ec_signed(r: bytes, s: bytes, tail: bytes = b"") -> bytes:
    return string(b"ecdsa-sha2-nistp256") + string(string(r) + string(s) + tail)


GOOD = sign(ANALYST, NAMESPACE, ORDER)
GOOD_BLOB = opened(GOOD)
ED25519 = b"ssh-ed25519"


def test_the_genuine_one_among_the_attacks_counts() -> None:
    verify(GOOD, NAMESPACE, ORDER, line(ANALYST))
    verify(forged(), NAMESPACE, ORDER, line(ANALYST) + " in the hospital's basement")


def test_stray_bits_after_the_last_byte_are_not_a_second_form_of_a_signature() -> None:
    blob = GOOD_BLOB[:-1]
    body = base64.b64encode(blob).decode()
    assert len(blob) % 3
    last = body.rstrip("=")
    stray = last[:-1] + chr(ord(last[-1]) + 1) + "=" * (len(body) - len(last))
    assert base64.b64decode(stray) == blob
    assert reason(f"{BEGIN}\n{stray}\n{END}") == "signature.base64-form"


@pytest.mark.parametrize(
    ("signature", "rule"),
    [
        (rsa_signed(b"rsa-sha2-512", hashes.SHA512()), ""),
        (rsa_signed(b"rsa-sha2-256", hashes.SHA256()), ""),
        (rsa_signed(b"rsa-sha2-256", hashes.SHA512()), "signature.mismatch"),
        (rsa_signed(b"ssh-rsa", hashes.SHA1()), "signature.algorithm"),
        (string(b"rsa-sha2-512") + string(b""), "signature.mismatch"),
        (string(b"rsa-sha2-512") + string(b"\xff" * 384), "signature.mismatch"),
    ],
)
def test_rsa_signs_with_sha2_only(signature: bytes, rule: str) -> None:
    armored = forged(RSA_KEY, signature=signature)
    if rule:
        assert reason(armored, key=RSA_KEY) == rule
    else:
        verify(armored, NAMESPACE, ORDER, line(RSA_KEY))


@pytest.mark.parametrize(
    ("signature", "rule"),
    [
        (ec_signed(b"\1", b"\1"), "signature.mismatch"),
        (ec_signed(b"\1" * 200, b"\1" * 200), "signature.mismatch"),
        (ec_signed(b"", b"\1"), "signature.integer"),
        (ec_signed(b"\0", b"\1"), "signature.integer"),
        (ec_signed(b"\1", b"\xff"), "signature.integer"),
        (ec_signed(b"\0\1", b"\1"), "signature.integer"),
        (ec_signed(b"\1", b"\1", b"\1"), "signature.trailing"),
        (string(b"ecdsa-sha2-nistp256") + string(string(b"\1")), "signature.truncated"),
        (string(b"ecdsa-sha2-nistp384") + string(string(b"\1") * 2), "signature.algorithm"),
    ],
)
def test_an_ecdsa_signature_has_one_form(signature: bytes, rule: str) -> None:
    assert reason(forged(EC_KEY, signature=signature), key=EC_KEY) == rule


@pytest.mark.parametrize("namespace", ["", "relance-оrder@v1", "line\nbreak", "x" * 65])
def test_a_namespace_that_could_be_misread_is_neither_signed_nor_verified(namespace: str) -> None:
    assert reason(GOOD, namespace=namespace) == "signature.namespace-form"
    with pytest.raises(BadSignature, match="printable ASCII"):
        sign(ANALYST, namespace, ORDER)


def test_a_text_too_large_to_read_is_neither_signed_nor_verified() -> None:
    large = bytes(MESSAGE_BYTES_MAX + 1)
    assert reason(GOOD, message=large) == "signature.text-size"
    with pytest.raises(BadSignature, match="at most 4194304"):
        sign(ANALYST, NAMESPACE, large)


def test_a_weak_key_never_verifies_anything() -> None:
    weak = generate_private_key(65537, 2048)
    with pytest.raises(BadKey, match="2048 bits"):
        verify(sign(weak, NAMESPACE, ORDER), NAMESPACE, ORDER, line(weak))
    anybodys = "ssh-ed25519 " + base64.b64encode(string(ED25519) + string(b"\1" + bytes(31))).decode()
    with pytest.raises(BadKey, match="small order"):
        verify(GOOD, NAMESPACE, ORDER, anybodys)


def test_the_claimed_signer_is_a_key_fit_to_sign_or_a_refusal() -> None:
    assert claimed_signer(GOOD) == public_of(ANALYST)
    weak = sign(generate_private_key(65537, 2048), NAMESPACE, ORDER)
    with pytest.raises(BadKey, match="2048 bits"):
        claimed_signer(weak)
    with pytest.raises(BadSignature) as caught:
        claimed_signer(
            armoured(b"SSHSIG\0\0\0\1" + string(b"\0") + 2 * string(b"") + string(b"sha512") + string(bytes(8)))
        )
    assert caught.value.rule == "signature.truncated"


@given(at=st.integers(0, len(GOOD_BLOB) * 8 - 1))
def test_no_bit_of_a_signature_can_change(at: int) -> None:
    blob = bytearray(GOOD_BLOB)
    blob[at // 8] ^= 1 << at % 8
    assert reason(armoured(bytes(blob))).startswith("signature.")


@given(at=st.integers(0, len(ORDER) * 8 - 1))
def test_no_bit_of_an_order_can_change(at: int) -> None:
    order = bytearray(ORDER)
    order[at // 8] ^= 1 << at % 8
    assert reason(GOOD, message=bytes(order)) == "signature.mismatch"


@given(blob=st.binary(max_size=300), start=st.sampled_from([b"", b"SSHSIG\0\0\0\1", GOOD_BLOB[:61], GOOD_BLOB[:150]]))
def test_whatever_stands_in_the_block_the_answer_is_a_refusal(blob: bytes, start: bytes) -> None:
    assert reason(armoured(start + blob)).startswith("signature.")


@given(text=st.text(max_size=200))
def test_whatever_is_handed_in_as_a_signature_the_answer_is_a_refusal(text: str) -> None:
    assert reason(text) == "signature.armour"
    assert reason(f"{BEGIN}\n{text}\n{END}").startswith("signature.")
