"""Simulated and replayed rollouts as a person reads them in a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from underway.cli.render.terminal import Terminal
from underway.guard.simulate.tables import Table


def show_tables(tables: Sequence[Table], terminal: Terminal) -> None:
    for table in tables:
        terminal.line()
        terminal.line(terminal.paint(table.title, "bold"))
        terminal.paragraph(terminal.paint(_plain(table.says), "dim"), "")
        _show_rows(table, terminal)


def _show_rows(table: Table, terminal: Terminal) -> None:
    """Columns side by side where they fit, else each row as a short list."""
    cells = [table.heads, *table.rows]
    widths = [max(len(_plain(row[column])) for row in cells) for column in range(len(table.heads))]
    if sum(widths) + 2 * (len(widths) - 1) <= terminal.width:
        for number, row in enumerate(cells):
            parts = [_painted(cell, width, terminal) for cell, width in zip(row, widths, strict=True)]
            line = "  ".join(parts).rstrip()
            terminal.line(terminal.paint(line, "dim") if number == 0 else line)
        return
    named = max(len(head) for head in table.heads)
    for row in table.rows:
        terminal.line(_painted(row[0], 0, terminal))
        for head, cell in zip(table.heads[1:], row[1:], strict=True):
            terminal.line(f"  {terminal.paint(head.ljust(named), 'dim')}  {_painted(cell, 0, terminal)}")


def _plain(text: str) -> str:
    return text.replace("**", "")


def _painted(text: str, width: int, terminal: Terminal) -> str:
    """`text` with its bold words, filled up to `width`."""
    shown = re.sub(r"\*\*(.+?)\*\*", lambda found: terminal.paint(found[1], "bold"), text)
    return shown + " " * (width - len(_plain(text)))
