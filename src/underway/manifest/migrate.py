"""`[migrate]`: what prepares the database for a release, and how carefully."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from underway.manifest import words
from underway.manifest.keys import Key


@dataclass(frozen=True)
class Migrate:
    """`[migrate]`. `paths` are the files that decide whether there is anything to migrate (empty: always run).

    `rehearse` is auto | always | never: auto tries pending migrations on a copy while the database is not larger than
    `rehearse_limit_bytes`.
    """

    command: Annotated[
        str,
        Key("command", words.COMMAND, '"alembic upgrade head"', "Runs with the new code before it gets traffic."),
    ]
    cwd: Annotated[str, Key("cwd", words.TREE_PATH, '"backend"', "The folder it runs in.")] = "."
    paths: Annotated[
        tuple[str, ...],
        Key(
            "paths",
            words.TREE_PATHS,
            '["backend/alembic/versions"]',
            "Nothing is migrated while these files are as they were; empty migrates at every deploy.",
        ),
    ] = ()
    back: Annotated[
        str,
        Key(
            "back",
            words.COMMAND,
            '"goose down-to $UNDERWAY_MIGRATE_TO"',
            "Takes the migrations of a release back, with its code; `UNDERWAY_MIGRATE_TO` is the name of the one that "
            "was the newest before. alembic and Django need none. It is run only where it was tried on a copy.",
        ),
    ] = ""
    timeout_s: Annotated[
        float, Key("timeout", words.LONG, '"30m"', "A migration that takes longer is ended and fails.")
    ] = 600.0
    lock_timeout_s: Annotated[
        float,
        Key(
            "lock_timeout",
            words.LOCK_TIMEOUT,
            '"2s"',
            "A statement that waits longer for a lock gives up, so that nobody waits long behind it; the command is "
            'then run again, up to `lock_tries` times with growing pauses. `"0s"` sets no limit.',
        ),
    ] = 5.0
    lock_tries: Annotated[
        int, Key("lock_tries", words.LOCK_TRIES, "10", "How often the command is run while a lock is not to be had.")
    ] = 5
    statement_timeout_s: Annotated[
        float,
        Key(
            "statement_timeout",
            words.DRAIN,
            '"5m"',
            'A statement that runs longer is ended and the migration fails. `"0s"` sets no limit but `timeout`.',
        ),
    ] = 0.0
    contract: Annotated[
        bool,
        Key(
            "contract",
            words.FLAG,
            "true",
            "The pending migrations may destroy, break and block: what the lint finds is told and stops nothing. For "
            "one release; take it out again after it.",
        ),
    ] = False
    rehearse: Annotated[
        str,
        Key(
            "rehearse",
            words.REHEARSE,
            '"always"',
            "Whether a deploy tries pending migrations on a copy of the database first, and the release that runs on "
            "what they make of it. `auto` does while the database is not larger than `rehearse_limit`.",
        ),
    ] = "auto"
    rehearse_limit_bytes: Annotated[
        int, Key("rehearse_limit", words.LIMIT_MEMORY, '"20GB"', "The size up to which `auto` rehearses.")
    ] = 5_000_000_000
