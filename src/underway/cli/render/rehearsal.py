"""What a rehearsal saw, as a person reads it."""

from __future__ import annotations

from typing import Any

from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import seconds
from underway.terms.count import counted

_MOST = 12


def show_rehearsal(seen: dict[str, Any], terminal: Terminal) -> None:
    """Statements with their times, locks, tables, and whether the release that runs goes on running."""
    t, observed = terminal, seen["observed"]
    t.line(t.paint(f"  On a copy ({seen['how']} in {seconds(seen['copy_took_s'])}):", "bold"))
    for ran in observed["statements"][:_MOST]:
        t.line(f"    {seconds(ran['took_s']):>8}  {clean(ran['statement'])[: max(40, t.width - 16)]}")
    if (more := len(observed["statements"]) - _MOST) > 0:
        t.line(f"              and {more} more")
    held = [lock for lock in observed["locks"] if lock["held_s"]]
    for lock in held[:_MOST]:
        t.line(f"    {clean(lock['table'])}: {lock['mode']} for {seconds(lock['held_s'])}; it stops {lock['stops']}")
    if instants := len(observed["locks"]) - len(held[:_MOST]):
        t.line(f"    {counted(instants, 'more lock' if held else 'lock')}, each for an instant")
    touched = [table for table in observed["tables"] if table["is_rewritten"] or table["rows_written"]]
    for table in touched[:_MOST]:
        written = f"{counted(table['rows_written'], 'row')} written"
        what = "written again as a whole" if table["is_rewritten"] else written
        size = f"{table['was_bytes'] / 1e6:,.1f} MB → {table['now_bytes'] / 1e6:,.1f} MB"
        t.line(f"    {clean(table['table'])}: {what} ({counted(table['rows'], 'row')}, {size})")
    for change in observed["changes"][:_MOST]:
        t.line(f"    {t.mark('dot')} {clean(change)}")
    if (more := len(observed["changes"]) - _MOST) > 0:
        t.line(f"    {t.mark('dot')} and {counted(more, 'change')} more")
    if fit := seen["old_code"]:
        kind = {"yes": "done", "no": "failed", "unknown": "warning"}[fit["runs"]]
        t.line(f"  {t.mark(kind)} {fit['release']} runs on the new schema: {fit['runs']}; {clean(fit['because'])}")
    if back := seen.get("back"):
        kind = {"yes": "done", "no": "failed", "unknown": "warning"}[back["goes"]]
        t.line(f"  {t.mark(kind)} the migration runs back: {back['goes']}; {clean(back['because'])}")
        for lost in back["lost"][:_MOST]:
            told = [counted(lost["rows"], "row")] if lost["rows"] else []
            told += [f"{counted(count, 'value')} of {clean(name)}" for name, count in lost["columns"].items()]
            t.line(f"    {clean(lost['table'])}: {', '.join(told)} do not come back")
