"""The commands with which migration tools go back."""

from __future__ import annotations

import shlex

_BASE = "base"


def back_by_alembic(lead: str, was: str, now: str) -> str:
    """`alembic downgrade REVISION` from one head to one other; empty where there are several, or none is known."""
    tool, _, to = (was or f"alembic {_BASE}").partition(" ")
    of, _, head = now.partition(" ")
    if tool != "alembic" or of != "alembic" or "," in to or "," in head or to == head:
        return ""
    return f"{lead} downgrade {shlex.quote(to)}"


def back_by_django(lead: str, was: str, now: str) -> str:
    """`manage.py migrate APP NAME` for each app whose newest migration is another one, `zero` for one that had none."""
    if not now.startswith("django ") or (was and not was.startswith("django ")):
        return ""
    before, after = _newest(was), _newest(now)
    wanted = [(app, before.get(app, "zero")) for app, name in after.items() if before.get(app) != name]
    if not wanted or set(before) - set(after):
        return ""
    return "\n".join(
        ["set -e", *(f"{lead} migrate --noinput {shlex.quote(app)} {shlex.quote(to)}" for app, to in wanted)]
    )


def _newest(head: str) -> dict[str, str]:
    """By app, of "django auth.0012_x,shop.0003_y"."""
    names = head.partition(" ")[2]
    pairs = (name.partition(".") for name in names.split(",") if "." in name)
    return {app: name for app, _, name in pairs}
