"""A security key in software, for tests: it signs by the layout of OpenSSH's PROTOCOL.u2f, with the flags asked for.

Never part of the product: no hardware key is here, and nobody touches this one.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from orchestrator.trust.keys import SK_ECDSA, SK_ED25519, public_of
from orchestrator.trust.signature import BEGIN, END

TOUCH, PIN = 1, 4


def string(data: bytes) -> bytes:
    """An SSH wire string."""
    return len(data).to_bytes(4, "big") + data


def armoured(blob: bytes) -> str:
    """An SSH signature block, on one line."""
    return f"{BEGIN}\n{base64.b64encode(blob).decode()}\n{END}\n"


def text_to_sign(namespace: bytes, message: bytes, hash_name: bytes = b"sha512") -> bytes:
    """What the key signs for a message, by PROTOCOL.sshsig."""
    digest = hashlib.new(hash_name.decode(), message).digest()
    return b"SSHSIG" + string(namespace) + string(b"") + string(hash_name) + string(digest)


@dataclass(frozen=True)
class SecurityKey:
    """One key; `kind` is SK_ED25519 or SK_ECDSA."""

    kind: str
    secret: int = 7
    application: bytes = b"ssh:"

    @property
    def blob(self) -> bytes:
        """The public key's wire bytes."""
        plain = public_of(self._private()).blob
        name = len(plain) - len(plain[4 + int.from_bytes(plain[:4], "big") :])
        return string(self.kind.encode()) + plain[name:] + string(self.application)

    @property
    def line(self) -> str:
        """The public key line."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    def sign(self, namespace: str, message: bytes, *, flags: int = TOUCH | PIN, said: int | None = None) -> str:
        """An armoured signature under these flags; `said` writes other flags into it than those it signed."""
        inner = self.signed(text_to_sign(namespace.encode(), message), flags, said)
        parts = (self.blob, namespace.encode(), b"", b"sha512", inner)
        return armoured(b"SSHSIG\0\0\0\1" + b"".join(map(string, parts)))

    def signed(self, text: bytes, flags: int, said: int | None = None) -> bytes:
        """What the key answers when asked to sign `text`, as it stands inside a signature or an agent's answer."""
        counter = (41).to_bytes(4, "big")
        covered = hashlib.sha256(self.application).digest() + bytes([flags]) + counter + hashlib.sha256(text).digest()
        shown = bytes([flags if said is None else said]) + counter
        return string(self.kind.encode()) + string(self._signature(covered)) + shown

    def _private(self) -> Ed25519PrivateKey | ec.EllipticCurvePrivateKey:
        if self.kind == SK_ED25519:
            return Ed25519PrivateKey.from_private_bytes(self.secret.to_bytes(32, "big"))
        assert self.kind == SK_ECDSA
        return ec.derive_private_key(self.secret, ec.SECP256R1())

    def _signature(self, covered: bytes) -> bytes:
        private = self._private()
        if isinstance(private, Ed25519PrivateKey):
            return private.sign(covered)
        numbers = decode_dss_signature(private.sign(covered, ec.ECDSA(SHA256())))
        return b"".join(string(number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in numbers)
