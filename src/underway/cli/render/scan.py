"""Leaks as a person reads them: one block for each secret, all its places, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from underway.cli.render.terminal import Terminal, clean
from underway.flows.scan import ScanReport
from underway.leaks.allow import ALLOW_FILE
from underway.leaks.remedy import remedy
from underway.terms.leak import Leak

_MOST_PLACES = 8


def show_scan(report: ScanReport, where: str, terminal: Terminal, *, is_all: bool) -> None:
    """The leaks, then what was looked at."""
    for leaks in _by_secret(report.leaks):
        _show(leaks, terminal, "failed")
    if is_all:
        for leaks in _by_secret(report.doubtful):
            _show(leaks, terminal, "warning")
        for each in report.allowed:
            terminal.line(f"{terminal.mark('dot')} {_place(each.leak)}  allowed: {clean(each.reason)}")
    for entry in report.stale:
        terminal.line(f"{terminal.mark('warning')} {clean(entry)}: over, or fits nothing any more; take it out")
    for unread in report.searched.unread[:20]:
        terminal.line(f"{terminal.mark('warning')} not looked into: {clean(unread.path)} ({clean(unread.why)})")
    _sum(report, where, terminal)


def _by_secret(leaks: Sequence[Leak]) -> list[list[Leak]]:
    found: dict[str, list[Leak]] = {}
    for leak in leaks:
        found.setdefault(leak.fingerprint, []).append(leak)
    return list(found.values())


def _show(leaks: list[Leak], terminal: Terminal, mark: str) -> None:
    first = next((leak for leak in leaks if leak.commit), leaks[0])
    terminal.line(
        f"{terminal.mark(mark)} {terminal.paint(clean(first.says), 'bold')}  {terminal.paint(first.fingerprint, 'dim')}"
    )
    for leak in leaks[:_MOST_PLACES]:
        since = (
            f"  since {leak.commit[:8]}, {leak.when[:10]}, {clean(leak.author)}" if leak.commit else "  not committed"
        )
        gone = "" if leak.is_in_tree else "  no longer in the files"
        terminal.line(f"    {_place(leak)}{terminal.paint(since + gone, 'dim')}")
    if len(leaks) > _MOST_PLACES:
        terminal.line(f"    and {len(leaks) - _MOST_PLACES} more places")
    terminal.line(f"  {clean(first.because)}")
    if mark != "failed":
        return
    how = remedy(first)
    arrow = terminal.mark("arrow")
    terminal.line(f"  {arrow} rotate  {how.rotate}")
    if first.is_in_tree:
        terminal.line(f"  {arrow} move    {terminal.paint(clean(how.move), 'blue')}")
    for number, command in enumerate(how.commands):
        start = f"{arrow} purge  " if number == 0 else "         "
        terminal.line(f"  {start} {terminal.paint(clean(command), 'blue')}")


def _place(leak: Leak) -> str:
    name = f"  {clean(leak.variable)}" if leak.variable else ""
    return f"{clean(leak.path)}:{leak.line}:{leak.column}{name}"


def _sum(report: ScanReport, where: str, terminal: Terminal) -> None:
    seen = report.searched
    secrets = len(_by_secret(report.leaks))
    looked = f"{seen.files:,} files"
    if seen.commits:
        looked += f", {seen.blobs:,} versions in {seen.commits:,} commits"
    terminal.line(
        terminal.paint(f"{secrets} leaked {'secret' if secrets == 1 else 'secrets'}", "red", "bold")
        + f" at {len(report.leaks)} places in {where}"
        if secrets
        else f"{terminal.mark('done')} No leak in {where}"
    )
    rest = f"{len(report.doubtful)} doubtful, {len(report.allowed)} allowed"
    terminal.line(terminal.paint(f"  {looked} in {seen.took_s:.1f} s ({seen.from_cache:,} from memory); {rest}", "dim"))
    if report.doubtful or report.allowed:
        terminal.line(terminal.paint("  --all shows the doubtful and the allowed ones", "dim"))
    if seen.is_shallow:
        terminal.line(
            f"{terminal.mark('warning')} The history is shallow: older commits are not here (git fetch --unshallow)"
        )
    if secrets:
        terminal.line(
            f"  {terminal.mark('dot')} to let one stand: [[allow]] with fingerprint and reason in {ALLOW_FILE}; "
            "after a purge every clone must be made anew"
        )
