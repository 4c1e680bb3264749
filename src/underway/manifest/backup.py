"""`[backup]`: how often the app's data is copied, how it is proven, what is kept, where copies go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from underway.manifest.keys import Key
from underway.manifest.kinds import Flag, ListOf, Text, Whole
from underway.manifest.measures import Duration

_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}", re.ASCII)
"""An X25519 recipient: Bech32 with the prefix `age` (age-encryption.org/v1)."""
_REMOTE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@ -]*:[^\s:][^\n]*|:[a-z0-9]+(,[^:\n]+)*:[^\n]+", re.ASCII)
"""rclone's `name:path`, or `:backend,option=value:path` (rclone.org/docs, connection strings)."""


def _recipient(text: str) -> tuple[str, str] | None:
    if text.startswith("AGE-SECRET-KEY-"):
        return ("it is a secret key", "write its public half (age1…) and keep the secret one off this machine")
    if not _RECIPIENT.fullmatch(text):
        return ("it is no age recipient", "write the public key that age-keygen printed: age1 and 58 characters")
    return None


def _remote(text: str) -> tuple[str, str] | None:
    if not _REMOTE.fullmatch(text):
        return ("it is no place of rclone", 'write "name:bucket/folder", where rclone has a remote of that name')
    return None


SCHEDULE = Duration("0s", "90d")
RECIPIENT = Text("an age recipient", '"age1…"', 62, _recipient)
REMOTE = Text("a place of rclone", '"s3:shop-backups"', 400, _remote)
RECIPIENTS = ListOf(RECIPIENT, 20)
REMOTES = ListOf(REMOTE, 10)
COUNT = Whole(0, 1000)


@dataclass(frozen=True)
class BackupKeys:
    """`[backup]`. Intervals are seconds, 0 for never."""

    every_s: Annotated[
        float,
        Key("every", SCHEDULE, '"6h"', 'How often the data is backed up by itself; `"0s"` never.'),
    ] = 86_400.0
    drill_s: Annotated[
        float,
        Key(
            "drill",
            SCHEDULE,
            '"1d"',
            "How often the newest backup is restored into a scratch server and compared, with the smoke requests asked "
            'of the app on it; `"0s"` never. A backup that was not restored proves nothing.',
        ),
    ] = 604_800.0
    daily: Annotated[int, Key("daily", COUNT, "14", "Of this many days one backup each is kept.")] = 7
    weekly: Annotated[int, Key("weekly", COUNT, "8", "Of this many weeks one backup each is kept.")] = 4
    monthly: Annotated[int, Key("monthly", COUNT, "12", "Of this many months one backup each is kept.")] = 6
    recipients: Annotated[
        tuple[str, ...],
        Key(
            "recipients",
            RECIPIENTS,
            '["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]',
            "Backups are encrypted for these age keys, and for one that Underway makes to be able to drill them. "
            "Empty: they are not encrypted.",
        ),
    ] = ()
    remotes: Annotated[
        tuple[str, ...],
        Key(
            "remotes",
            REMOTES,
            '["s3:shop-backups/production"]',
            "Every backup is copied there as well, by rclone; what rclone needs to know of the place is in the app's "
            "kept values (`RCLONE_CONFIG_S3_TYPE` …) or in rclone's own configuration.",
        ),
    ] = ()
    prune_remotes: Annotated[
        bool,
        Key(
            "prune_remotes",
            Flag(),
            "false",
            "Whether copies at remotes that `daily`, `weekly` and `monthly` let go are removed there too; `false` "
            "leaves that to the remote (object lock, lifecycle rules).",
        ),
    ] = True
    continuous: Annotated[
        bool,
        Key(
            "continuous",
            Flag(),
            "true",
            "Keep every change as it happens: the log of the home's PostgreSQL with a base copy of it a week, and what "
            "changes in SQLite databases (`*.db`, `*.sqlite` …) among the shared files, by litestream; so that "
            "`db restore --at` can go to any moment. It costs the disk of two base copies and of the log since.",
        ),
    ] = False
    may_reset: Annotated[
        bool,
        Key(
            "may_reset",
            Flag(),
            "true",
            "This is a demo or a staging place: `db reset` may put its data back to a snapshot. Never set it where "
            "people keep what they need.",
        ),
    ] = False
