"""age identities and recipients."""

from __future__ import annotations

from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret


class AgeSeals:
    """Driver of `Seals`: X25519 keys. The library is imported when it is first needed."""

    def new_identity(self) -> Secret:
        import pyrage

        return Secret(str(pyrage.x25519.Identity.generate()))

    def recipient_of(self, identity: Secret) -> str:
        import pyrage

        try:
            return str(pyrage.x25519.Identity.from_str(identity.reveal().strip()).to_public())
        except pyrage.IdentityError:
            raise Failure(wrong_key("it is no age identity (AGE-SECRET-KEY-1…)", "identity")) from None


def wrong_key(why: str, where: str) -> Problem:
    return Problem(
        code="backup.key",
        where=where,
        why=why,
        remedy="name the file with the age identity of one of its recipients",
        command="underway db verify --help",
    )
