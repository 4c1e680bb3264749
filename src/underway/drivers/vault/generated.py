"""New secrets, by kind."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Callable, Mapping

_DJANGO_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*(-_=+)"
"""That of `get_random_secret_key` in django/core/management/utils.py; 50 characters of it are 282 bits."""
_RSA_BITS = 3072
"""128 bits of strength, for use beyond 2030 (NIST SP 800-57 part 1, table 2)."""


def _characters(alphabet: str, count: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(count))


def _rsa() -> str:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return _pem(rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS))


def _ed25519() -> str:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return _pem(ed25519.Ed25519PrivateKey.generate())


def _pem(key: object) -> str:
    from cryptography.hazmat.primitives import serialization as form

    text: bytes = key.private_bytes(  # type: ignore[attr-defined]  # both kinds have it, in no type of their own
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    )
    return text.decode()


KINDS: Mapping[str, Callable[[], str]] = {
    "hex": lambda: secrets.token_hex(32),
    "urlsafe": lambda: secrets.token_urlsafe(32),
    "password": lambda: _characters(string.ascii_letters + string.digits, 24),
    "django": lambda: _characters(_DJANGO_ALPHABET, 50),
    "fernet": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "rsa": _rsa,
    "ed25519": _ed25519,
}


def generate(kind: str) -> str:
    """A new value. Raises `ValueError` for a kind that there is not."""
    make = KINDS.get(kind)
    if make is None:
        raise ValueError(f"no kind of secret is called {kind!r}; there are {', '.join(KINDS)}")
    return make()


def public_half(private: str) -> str:
    """The public key (SubjectPublicKeyInfo, PEM) of a private one."""
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(private.encode(), password=None)
    return key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo).decode()
