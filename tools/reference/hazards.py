"""docs/hazards.md: every rule of the lint, what it guards against, and the way that harms nobody."""

from __future__ import annotations

from underway.lint.lint import SMALL_BYTES
from underway.lint.rules import OF_SQUAWK, RULES
from underway.terms.migration import Harm

_MEANS = {
    Harm.DESTRUCTIVE: "Rows or columns are gone; only a backup brings them back.",
    Harm.BREAKING: "Code written for the schema before fails on the one after.",
    Harm.BLOCKING: "Others wait while the rows of a table are read, written or checked.",
}


def hazards_md() -> str:
    """The page."""
    lines = [
        "# What a migration should not do to a database in use",
        "",
        "<!-- Made by `python -m tools.reference` from src/underway/lint/rules.py. Edit that. -->",
        "",
        "A deploy that holds one of these stops before anything is changed, unless it is marked (`[migrate] contract ="
        " true`, or `--allow contract`). What a *small table* excuses is let through on one below"
        f" {SMALL_BYTES / 1e6:.0f} MB with its indexes, and so is anything on a table that the same migration made."
        " `tests/drivers/database/test_hazards.py` shows each rule on a real server: another session gives up waiting,"
        " or what the release that runs does fails; and the recipe harms neither.",
    ]
    for harm in Harm:
        lines += ["", f"## {harm.value.capitalize()}", "", _MEANS[harm]]
        for rule in RULES.values():
            if rule.harm is harm:
                spotted = sorted(name for name, ours in OF_SQUAWK.items() if ours == rule.id)
                by = f" Spotted by squawk's {', '.join(f'`{name}`' for name in spotted)}." if spotted else ""
                small = " A small table excuses it." if rule.grows else ""
                lines += ["", f"### `{rule.id}`", "", f"It {rule.says}.{small}{by}", "", f"**Instead:** {rule.recipe}."]
    return "\n".join(lines) + "\n"
