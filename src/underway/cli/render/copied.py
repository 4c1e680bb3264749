"""What came of a copy, table by table."""

from __future__ import annotations

from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import seconds
from underway.terms.copied import CopyReport


def show_copied(report: CopyReport, source: str, app: str, terminal: Terminal, *, is_cutting_over: bool) -> None:
    t = terminal
    width = max((len(table.name) for table in report.tables), default=5)
    for table in report.tables:
        good = table.is_equal and not table.unfit_count
        nuls = f"  {table.nuls:,} values lost their NULs" if table.nuls else ""
        mark = t.mark("done" if good else "failed")
        t.line(
            f"{mark} {clean(table.name):<{width}}  {table.copied:>12,} of {table.rows:,} rows  {table.checksum}{nuls}"
        )
        for line in (*table.unfit, *(f"{key}: came out otherwise" for key in table.differing)):
            t.line(t.paint(f"    {clean(line)}", "red"))
        if table.unfit_count > len(table.unfit):
            t.line(f"    … and {table.unfit_count - len(table.unfit):,} more that do not fit")
    for line in (*report.problems, *report.keys):
        t.line(f"{t.mark('failed')} {clean(line)}")
    if not report.is_whole:
        t.line(f"{t.paint('Not whole', 'red', 'bold')}  nothing live was touched")
        return
    rate = report.rows / max(report.took_s, 0.001)
    t.line(
        f"{t.paint('Whole', 'green', 'bold')}  {report.rows:,} rows in {seconds(report.took_s)} ({rate:,.0f} a second)"
    )
    if is_cutting_over:
        return
    t.line("To cut over:")
    t.line("  1  stop what writes to the source")
    t.line(f"  2  underway db copy --from {source} --to {app} --cut-over --yes")
    t.line(f"     It copies and proves all of it again: writes stop for about {seconds(report.took_s + 5)}.")
    t.line(f"  3  {app} is live on it; what it had before is kept, and in a backup that is made first")
