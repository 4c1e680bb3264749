"""Passwords and second factors. The libraries are imported when somebody logs in, not when the agent starts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
"""OWASP's Password Storage Cheat Sheet (2025) for argon2id: 19 MiB, two passes, one lane."""
STEP_S = 30
_DRIFT = 1
"""Time steps that a phone's clock may be off, either way (RFC 6238, 5.2)."""


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def hashed(password: str) -> str:
    """About 20 ms of one core and 19 MiB: call it beside the loop."""
    return _hasher().hash(password)


@cache
def nobodys_hash() -> str:
    """What a password is compared with when there is no such account, so that the answer takes as long."""
    return hashed("nobody has this")


def is_password(kept: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def new_totp() -> str:
    """160 random bits in base 32, as authenticator apps take them."""
    import pyotp

    return pyotp.random_base32()


def totp_uri(secret: str, name: str, issuer: str) -> str:
    """The `otpauth:` address that an authenticator app reads from a QR code."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def totp_step(secret: str, code: str, now: float, after: int) -> int:
    """The time step that `code` belongs to, 0 when it is wrong or not later than `after` (it was used)."""
    import pyotp

    current = int(now // STEP_S)
    digits = "".join(code.split())
    generator = pyotp.TOTP(secret)
    for step in range(current - _DRIFT, current + _DRIFT + 1):
        if pyotp.utils.strings_equal(generator.at(step * STEP_S), digits) and step > after:
            return step
    return 0
