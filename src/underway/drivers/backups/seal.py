"""Encrypts or decrypts stdin to stdout with age: `python -m underway.drivers.backups.seal encrypt RECIPIENT…`.

A process of its own, so that the agent neither loads the library nor waits for it. To decrypt, the identity comes
in the environment; recipients are public and may be seen by anyone.
"""

from __future__ import annotations

import os
import sys

import pyrage

IDENTITY_VARIABLE = "UNDERWAY_AGE_IDENTITY"
EXIT_WRONG_KEY = 3
EXIT_DAMAGED = 4


def main(words: list[str]) -> int:
    """0 when all went through; 3 when no given key opens it; 4 when it is damaged or cut short."""
    if words[0] == "encrypt":
        keys = [pyrage.x25519.Recipient.from_str(word) for word in words[1:]]
        pyrage.encrypt_io(sys.stdin.buffer, sys.stdout.buffer, keys)
        sys.stdout.buffer.flush()
        return 0
    try:
        identity = pyrage.x25519.Identity.from_str(os.environ.pop(IDENTITY_VARIABLE, ""))
    except pyrage.IdentityError:
        return EXIT_WRONG_KEY
    try:
        pyrage.decrypt_io(sys.stdin.buffer, sys.stdout.buffer, [identity])
        sys.stdout.buffer.flush()
    except pyrage.DecryptError as error:
        return EXIT_WRONG_KEY if "matching keys" in str(error) else EXIT_DAMAGED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader went away: it has its own reason, and tells it
        return 0
    except OSError:
        return EXIT_DAMAGED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
