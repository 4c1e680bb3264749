"""What to do about a leak: make it worthless first, then take it out."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from underway.terms.leak import Leak

_ROTATE: tuple[tuple[str, str], ...] = (
    ("render", "make a new API key or deploy hook in Render's dashboard and delete this one"),
    ("vercel", "delete the token at vercel.com/account/tokens and make a new one"),
    ("railway", "delete the token in Railway's project or account settings and make a new one"),
    ("flyio", "run `fly tokens list` and `fly tokens revoke ID`, then make a new one"),
    ("doppler", "revoke the token in Doppler's access settings and make a new one"),
    ("supabase", "roll the key in Supabase's API settings, or delete the access token"),
    ("neon", "revoke the API key in Neon's account settings and make a new one"),
    ("github", "revoke the token at github.com/settings/tokens and make a new one"),
    ("aws", "deactivate the access key in IAM, make a new one, look through CloudTrail for its use, delete it"),
    ("gcp", "make a new key in the Google Cloud console, restrict it to the app's hosts and APIs, delete this one"),
    ("google", "revoke the grant, and make a new credential"),
    ("stripe", "roll the key in Stripe's dashboard under Developers, API keys"),
    ("slack", "regenerate the token or webhook in the Slack app's settings"),
    ("openai", "delete the key at platform.openai.com and make a new one"),
    ("django", "make a new SECRET_KEY; keep this one in SECRET_KEY_FALLBACKS until its sessions have ended"),
    (
        "private-key",
        "make a new key pair, replace the public half wherever it is trusted, and revoke certificates made of it",
    ),
    ("age-secret", "make a new age key, encrypt everything again for it, and rotate the values themselves"),
    ("jwt", "change the key that signs these tokens: every token made with it ends"),
    ("uri", "change the password of that user at the server in the address"),
)


@dataclass(frozen=True)
class Remedy:
    """`rotate` and `move` are told; `commands` take it out of the history, in order."""

    rotate: str
    move: str
    commands: tuple[str, ...]


def remedy(leak: Leak) -> Remedy:
    """Rotate, move, purge. Taking a secret out of the history without rotating it helps nobody: clones keep it."""
    words = f"{leak.rule} {leak.variable}".lower()
    rotate = next(
        (how for word, how in _ROTATE if word in words), "make a new one where it came from, and revoke this one"
    )
    name = leak.variable.upper().replace("-", "_").replace(".", "_") or "NAME"
    name = name if name.isidentifier() else "NAME"
    purge: tuple[str, ...] = ()
    if leak.commit:
        path = shlex.quote(leak.path)
        purge = (
            f"git filter-repo --invert-paths --path {path}"
            if not leak.is_in_tree
            else "git filter-repo --replace-text ../leaks.txt",
            "git push --force-with-lease --all && git push --force-with-lease --tags",
        )
    return Remedy(rotate, f"underway env set {name}   and read {name} from the environment", purge)
