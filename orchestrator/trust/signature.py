"""Signs and verifies SSH signatures (OpenSSH's PROTOCOL.sshsig), byte for byte what `ssh-keygen -Y` makes and checks.

Never guesses: one namespace, one expected key, one armoured block without a byte too many. Never says whether the
signer was allowed to sign, nor when.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from orchestrator.errors import Refused
from orchestrator.trust.keys import SECURITY_KEYS, SK_ECDSA, PrivateKey, PublicKey, parse_public, public_of

MESSAGE_BYTES_MAX = 1 << 22
ARMOUR_CHARS_MAX = 1 << 14
NAMESPACE_CHARS_MAX = 64
BEGIN = "-----BEGIN SSH SIGNATURE-----"
END = "-----END SSH SIGNATURE-----"
LINE_CHARS = 70
MAGIC = b"SSHSIG"
VERSION = 1

_DIGESTS: dict[bytes, Callable[[bytes], bytes]] = {
    b"sha512": lambda message: hashlib.sha512(message).digest(),
    b"sha256": lambda message: hashlib.sha256(message).digest(),
}
_RSA: dict[bytes, hashes.HashAlgorithm] = {b"rsa-sha2-512": hashes.SHA512(), b"rsa-sha2-256": hashes.SHA256()}
_SECURITY_KEYS = frozenset(kind.encode("ascii") for kind in SECURITY_KEYS)
TOUCHED, PIN_GIVEN = 0x01, 0x04  # what a security key says of the person before it
_ECDSA: dict[str, hashes.HashAlgorithm] = {
    SK_ECDSA: hashes.SHA256(),
    "ecdsa-sha2-nistp256": hashes.SHA256(),
    "ecdsa-sha2-nistp384": hashes.SHA384(),
    "ecdsa-sha2-nistp521": hashes.SHA512(),
}


class BadSignature(Refused):
    """The signature does not count; `rule` says why."""

    code = "bad_signature"


def sign(private: PrivateKey, namespace: str, message: bytes) -> str:
    """The armoured signature (sha512) of `message`; raises BadSignature if text or namespace are out of bounds."""
    _bounded("", namespace, message)
    public = public_of(private)
    text = _to_sign(namespace.encode("ascii"), b"sha512", message)
    blob = MAGIC + VERSION.to_bytes(4, "big")
    for part in (public.blob, namespace.encode("ascii"), b"", b"sha512", _sign_text(private, public.kind, text)):
        blob += _string(part)
    body = base64.b64encode(blob).decode("ascii")
    lines = [body[at : at + LINE_CHARS] for at in range(0, len(body), LINE_CHARS)]
    return "\n".join([BEGIN, *lines, END, ""])


def verify(armored: str, namespace: str, message: bytes, public_line: str) -> None:
    """Returns when `armored` signs `message` in `namespace` with the key of `public_line`.

    Raises BadKey when the expected key is none to trust, BadSignature (each `rule` its own reason) in every other
    case.
    """
    _bounded(armored, namespace, message)
    expected = parse_public(public_line)
    parts = _Parts(_dearmoured(armored))
    if parts.key != expected.blob:
        raise BadSignature(f"Another key than {expected.fingerprint} made this signature.", rule="signature.key")
    if parts.namespace != namespace.encode("ascii"):
        sentence = f"The signature was made for {_shown(parts.namespace)}, not for {namespace}."
        raise BadSignature(sentence, rule="signature.namespace")
    text = _to_sign(parts.namespace, parts.hash, message)
    if not _holds(expected, parts, text):
        raise _mismatch(expected, parts, message)
    _present(expected, parts)


def _present(expected: PublicKey, parts: _Parts) -> None:
    """A security key signed with somebody before it: touched always, its PIN where the roster requires it."""
    if not expected.application:
        return
    flags = parts.flags[0]
    if not flags & TOUCHED:
        raise BadSignature("Nobody touched the security key: a program may have used it.", rule="signature.touch")
    if expected.pin and not flags & PIN_GIVEN:
        sentence = "The security key did not ask for its PIN, which the roster requires of this person."
        raise BadSignature(sentence, rule="signature.pin")


def claimed_signer(armored: str) -> PublicKey:
    """The key a signature says it was made with, to look up its person. It proves nothing until `verify` returns."""
    _bounded(armored, "-", b"")
    blob = _Parts(_dearmoured(armored)).key
    kind = _shown(_Reader(blob).string("key"))
    return parse_public(f"{kind} {base64.b64encode(blob).decode('ascii')}")


def _bounded(armored: str, namespace: str, message: bytes) -> None:
    if not (0 < len(namespace) <= NAMESPACE_CHARS_MAX and namespace.isascii() and namespace.isprintable()):
        sentence = f"A namespace is 1 to {NAMESPACE_CHARS_MAX} printable ASCII characters."
        raise BadSignature(sentence, rule="signature.namespace-form")
    for size, limit, what in ((len(message), MESSAGE_BYTES_MAX, "text"), (len(armored), ARMOUR_CHARS_MAX, "signature")):
        if size > limit:
            raise BadSignature(f"The {what} has {size} bytes; at most {limit} are read.", rule=f"signature.{what}-size")


def _dearmoured(armored: str) -> bytes:
    lines = armored.removesuffix("\n").split("\n")
    if len(lines) < 3 or lines[0] != BEGIN or lines[-1] != END:
        sentence = "This is not one SSH signature block from its BEGIN line to its END line."
        raise BadSignature(sentence, rule="signature.armour")
    body = "".join(lines[1:-1])
    try:
        blob = base64.b64decode(body, validate=True)
    except ValueError as error:
        raise BadSignature("The signature block is not base64 text.", rule="signature.base64") from error
    if base64.b64encode(blob).decode("ascii") != body:
        raise BadSignature("The signature block's base64 has stray bits at its end.", rule="signature.base64-form")
    return blob


class _Reader:
    """Takes an SSH wire structure apart from the front."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def take(self, size: int, what: str) -> bytes:
        if size > len(self._rest):
            raise BadSignature(f"The signature ends in the middle of its {what}.", rule="signature.truncated")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def string(self, what: str) -> bytes:
        return self.take(int.from_bytes(self.take(4, what), "big"), what)

    def integer(self, what: str) -> int:
        """An mpint that is positive and as short as it can be."""
        raw = self.string(what)
        number = int.from_bytes(raw, "big", signed=True)
        if number <= 0 or _mpint(number) != _string(raw):
            raise BadSignature(f"The signature's {what} is not a positive mpint.", rule="signature.integer")
        return number

    def end(self, what: str) -> None:
        if self._rest:
            sentence = f"{len(self._rest)} bytes stand after the end of the {what}."
            raise BadSignature(sentence, rule="signature.trailing")


class _Parts:
    """What a signature blob holds, in its order, everything but the cryptography checked."""

    def __init__(self, blob: bytes) -> None:
        reader = _Reader(blob)
        if reader.take(len(MAGIC), "preamble") != MAGIC:
            raise BadSignature("The block holds no SSH signature.", rule="signature.preamble")
        version = int.from_bytes(reader.take(4, "version"), "big")
        if version != VERSION:
            raise BadSignature(f"Signature version {version} is not known.", rule="signature.version")
        self.key = reader.string("key")
        self.namespace = reader.string("namespace")
        if reader.string("reserved field"):
            raise BadSignature("The signature's reserved field is not empty.", rule="signature.reserved")
        self.hash = reader.string("hash name")
        if self.hash not in _DIGESTS:
            sentence = f"Hash {_shown(self.hash)} is not accepted: use sha512 or sha256."
            raise BadSignature(sentence, rule="signature.hash")
        inner = _Reader(reader.string("signature"))
        reader.end("signature block")
        self.algorithm = inner.string("algorithm name")
        self.signature = inner.string("signature bytes")
        # A security key adds what it knows of the person before it, and how often it signed (PROTOCOL.u2f).
        self.flags = self.counter = b""
        if self.algorithm in _SECURITY_KEYS:
            self.flags, self.counter = inner.take(1, "flags"), inner.take(4, "counter")
        inner.end("signature bytes")


def _holds(expected: PublicKey, parts: _Parts, text: bytes) -> bool:
    key, algorithm, signature = expected.key, parts.algorithm, parts.signature
    accepted = tuple(_RSA) if isinstance(key, RSAPublicKey) else (expected.kind.encode("ascii"),)
    if algorithm not in accepted:
        sentence = f"Algorithm {_shown(algorithm)} is not accepted for a key of kind {expected.kind}."
        raise BadSignature(sentence, rule="signature.algorithm")
    if expected.application:
        digests = (hashlib.sha256(expected.application).digest(), hashlib.sha256(text).digest())
        text = digests[0] + parts.flags + parts.counter + digests[1]
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, text)
        elif isinstance(key, RSAPublicKey):
            key.verify(signature, text, padding.PKCS1v15(), _RSA[algorithm])
        else:
            key.verify(_der(signature), text, ec.ECDSA(_ECDSA[expected.kind]))
    except InvalidSignature:
        return False
    return True


def _der(signature: bytes) -> bytes:
    reader = _Reader(signature)
    r, s = reader.integer("r"), reader.integer("s")
    reader.end("ecdsa signature")
    return encode_dss_signature(r, s)


def _mismatch(expected: PublicKey, parts: _Parts, message: bytes) -> BadSignature:
    """The reason, once it is known that the signature fails: people often sign a file's checksum instead."""
    for digest in (hashlib.sha256(message), hashlib.sha512(message)):
        for signed in (digest.digest(), digest.hexdigest().encode(), digest.hexdigest().encode() + b"\n"):
            if _holds(expected, parts, _to_sign(parts.namespace, parts.hash, signed)):
                sentence = f"The {digest.name} checksum of the text was signed, not the text: sign the file itself."
                return BadSignature(sentence, rule="signature.over-hash")
    return BadSignature("The signature and the text do not belong together.", rule="signature.mismatch")


def _to_sign(namespace: bytes, hash_name: bytes, message: bytes) -> bytes:
    return MAGIC + b"".join(map(_string, (namespace, b"", hash_name, _DIGESTS[hash_name](message))))


def _sign_text(private: PrivateKey, kind: str, text: bytes) -> bytes:
    if isinstance(private, Ed25519PrivateKey):
        return _string(b"ssh-ed25519") + _string(private.sign(text))
    if isinstance(private, RSAPrivateKey):
        signature = private.sign(text, padding.PKCS1v15(), _RSA[b"rsa-sha2-512"])
        return _string(b"rsa-sha2-512") + _string(signature)
    r, s = decode_dss_signature(private.sign(text, ec.ECDSA(_ECDSA[kind])))
    return _string(kind.encode("ascii")) + _string(_mpint(r) + _mpint(s))


def _mpint(number: int) -> bytes:
    return _string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _shown(name: bytes) -> str:
    return ascii(name.decode("latin-1"))[1:-1][:80]
