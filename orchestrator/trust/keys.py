"""Reads, makes and names the SSH keys people sign with: which keys are strong enough, and what each is called.

Never says who a key belongs to (the roster does), never asks an agent, and never reads a private key that others
on the machine can read.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from orchestrator.errors import Refused

LINE_CHARS_MAX = 8192
FILE_BYTES_MAX = 65536
RSA_BITS = range(3072, 16385)
RSA_EXPONENT = 65537
ED25519_PRIME = 2**255 - 19
# The y coordinates of the eight points of small order: anybody can sign for such a key.
ED25519_WEAK = frozenset(
    {
        0,
        1,
        ED25519_PRIME - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)
SK_ED25519, SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
# What a security key wraps: its public key is that of the plain kind, with the application's name after it.
SECURITY_KEYS = {SK_ED25519: "ssh-ed25519", SK_ECDSA: "ecdsa-sha2-nistp256"}
PLAIN_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
KINDS = (*PLAIN_KINDS, *SECURITY_KEYS)
APPLICATION = b"ssh:"  # how every application begins that is not a web site's, which could ask for signatures too
PIN_REQUIRED = "verify-required"  # as in OpenSSH's authorized_keys

Public = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey
PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


class BadKey(Refused):
    """A key, or the file that holds it, is not one to sign or verify with; `rule` says why."""

    code = "bad_key"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key strong enough to count. Two are equal when their wire bytes are.

    `application` is empty for a key in a file; `pin` says that its security key must have asked for its PIN.
    """

    kind: str
    blob: bytes
    key: Public = field(compare=False, repr=False)
    application: bytes = b""
    pin: bool = field(default=False, compare=False)

    @property
    def line(self) -> str:
        """The OpenSSH line without option and comment."""
        return f"{self.kind} {base64.b64encode(self.blob).decode('ascii')}"

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: SHA256: and unpadded base64."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


@lru_cache(maxsize=4096)
def parse_public(line: str) -> PublicKey:
    """The key of one OpenSSH public key line `[verify-required] kind base64 [comment]`.

    Raises BadKey on any other or weaker key, and on a security key's option before a key that is none.
    """
    pin = line.startswith(f"{PIN_REQUIRED} ")
    kind, text = _words(line.removeprefix(f"{PIN_REQUIRED} "))
    if kind not in KINDS:
        raise BadKey(_why_not(kind), rule="key.kind", kind=kind)
    if pin and kind not in SECURITY_KEYS:
        raise BadKey(f"A key of kind {kind} has no PIN to require: only security keys do.", rule="key.option")
    try:
        blob = base64.b64decode(text, validate=True)
        plain, application = _taken_apart(kind, blob) if kind in SECURITY_KEYS else (blob, b"")
        wrapped = SECURITY_KEYS.get(kind, kind)
        key = serialization.load_ssh_public_key(f"{wrapped} {base64.b64encode(plain).decode('ascii')}".encode("ascii"))
    except (ValueError, UnsupportedAlgorithm, NotImplementedError) as error:
        raise BadKey(f"The {kind} key cannot be read: it is damaged or cut short.", rule="key.damaged") from error
    public = public_of(cast("Public", key))
    _strong(public.key)
    if kind in SECURITY_KEYS and not application.startswith(APPLICATION):
        sentence = f"The security key was not made for {APPLICATION.decode()}: make it with ssh-keygen's own default."
        raise BadKey(sentence, rule="key.application")
    if public.blob != plain or base64.b64encode(blob).decode("ascii") != text:
        raise BadKey("The key is not written in its one canonical form.", rule="key.form")
    return PublicKey(kind, blob, public.key, application, pin)


def public_of(key: Public | PrivateKey) -> PublicKey:
    """The public half of a key already loaded."""
    half = key if isinstance(key, Public) else key.public_key()
    line = half.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode("ascii")
    kind, text = line.split(" ")
    return PublicKey(kind, base64.b64decode(text), half)


def generate(path: Path, *, passphrase: bytes | None = None) -> PublicKey:
    """Makes an ed25519 key pair: `path` (OpenSSH format, mode 0600) and `path.pub`; raises BadKey if either exists."""
    beside = path.with_name(path.name + ".pub")
    for name in (path, beside):
        if os.path.lexists(name):
            raise BadKey(f"{name} exists: a key is never overwritten.", rule="key.exists", file=str(name))
    private = Ed25519PrivateKey.generate()
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    text = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, lock)
    public = public_of(private)
    _write_new(path, text, 0o600)
    _write_new(beside, public.line.encode("ascii") + b"\n", 0o644)
    return public


def load_private(path: Path, *, passphrase: bytes | None = None) -> PrivateKey:
    """The private key in an OpenSSH key file; raises BadKey when others may read the file, or the key is weak."""
    text = _read_private(path)
    try:
        key = serialization.load_ssh_private_key(text, passphrase)
    except TypeError as error:
        wanted = "needs a passphrase" if passphrase is None else "has no passphrase, yet one was given"
        raise BadKey(f"The key file {path} {wanted}.", rule="key.passphrase", file=str(path)) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        sentence = f"The key file {path} holds no OpenSSH private key that opens with this passphrase."
        raise BadKey(sentence, rule="key.file", file=str(path)) from error
    if not isinstance(key, PrivateKey):
        raise BadKey(_why_not("ssh-dss"), rule="key.kind", file=str(path))
    _strong(key.public_key())
    return key


def _words(line: str) -> tuple[str, str]:
    if len(line) > LINE_CHARS_MAX:
        raise BadKey(f"The key line has {len(line)} characters; at most {LINE_CHARS_MAX} are read.", rule="key.size")
    words = line.removesuffix("\n").split(" ", 2)
    if len(words) < 2 or not line.removesuffix("\n").isprintable() or not (words[0] + words[1]).isascii():
        raise BadKey("This is not one public key line: `kind base64 comment` was expected.", rule="key.line")
    return words[0], words[1]


def _taken_apart(kind: str, blob: bytes) -> tuple[bytes, bytes]:
    """The wire bytes of the plain key inside a security key's, and its application; ValueError where there is none."""
    parts, rest = [], blob
    while rest:
        size = int.from_bytes(rest[:4], "big")
        parts.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    if parts[:1] != [kind.encode("ascii")] or len(parts) < 3 or b"".join(map(_string, parts)) != blob:
        raise ValueError("The key names another kind, or ends too early.")
    plain = (SECURITY_KEYS[kind].encode("ascii"), *parts[1:-1])
    return b"".join(map(_string, plain)), parts[-1]


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _why_not(kind: str) -> str:
    if "-cert-v01" in kind:
        return "Certificates are not accepted: give the plain public key, the roster says who holds it."
    if kind == "ssh-dss":
        return "DSA keys are too weak: make an ed25519 key."
    return f"{kind[:60]!r} is not a kind of key accepted here: use ed25519, ecdsa, or rsa of 3072 bits and more."


def _strong(key: Public) -> None:
    if isinstance(key, RSAPublicKey):
        if key.key_size not in RSA_BITS:
            sentence = f"The RSA key has {key.key_size} bits; {RSA_BITS.start} to {RSA_BITS.stop - 1} are accepted."
            raise BadKey(sentence, rule="key.weak", bits=key.key_size)
        if key.public_numbers().e != RSA_EXPONENT:
            raise BadKey(f"The RSA key's exponent is not {RSA_EXPONENT}.", rule="key.exponent")
    elif isinstance(key, Ed25519PublicKey):
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        y = int.from_bytes(raw, "little") & (2**255 - 1)
        if y >= ED25519_PRIME or y in ED25519_WEAK:
            raise BadKey("Anybody can sign for this ed25519 key: its point has small order.", rule="key.small-order")


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except OSError as error:
        raise BadKey(f"{path} cannot be written: {error.strerror}.", rule="key.file", file=str(path)) from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def _read_private(path: Path) -> bytes:
    """Looks at the file that was opened, not at the name, so that it cannot be exchanged in between."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadKey(f"{path} cannot be read: {error.strerror}.", rule="key.file", file=str(path)) from error
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > FILE_BYTES_MAX:
            raise BadKey(f"{path} is not a key file.", rule="key.file", file=str(path))
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            sentence = f"Others can read the key file {path} (mode {mode:04o}): run `chmod 600 {path}`."
            raise BadKey(sentence, rule="key.mode", file=str(path), mode=f"{mode:04o}")
        return file.read(FILE_BYTES_MAX)
