"""What PostgreSQL stores of a password, computed here so that the password itself never reaches the server."""

from __future__ import annotations

import base64
import hashlib
import hmac

ITERATIONS = 4096
"""PostgreSQL's own default (`scram_iterations`), the least that RFC 7677 allows."""


def scram_verifier(password: str, salt: bytes) -> str:
    """The SCRAM-SHA-256 verifier of `password` in the form of RFC 5803 as `pg_authid.rolpassword` holds it.

    StoredKey = H(HMAC(SaltedPassword, "Client Key")), ServerKey = HMAC(SaltedPassword, "Server Key") and
    SaltedPassword = PBKDF2-HMAC-SHA-256 (RFC 5802, section 3). Raises `ValueError` for a password that is not
    printable ASCII: others would need SASLprep (RFC 4013).
    """
    if not password or not password.isascii() or not password.isprintable():
        raise ValueError("a database password is printable ASCII")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
