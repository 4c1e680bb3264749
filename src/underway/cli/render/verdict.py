"""A verdict told again, for people who bet on nothing."""

from __future__ import annotations

from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import clock, megabytes, percent, seconds
from underway.flows.explain import Explanation, Recount
from underway.terms.record import Record, SideRecord
from underway.terms.verdict import Action, Strength

FOR = ("few enough errors", "fast enough")
_LABEL = 16

_COIN = (
    "Think of a gambler who starts with one coin and bets, request after request, that the new release is worse than"
    " the one that runs. The odds are fair if it is not, so with a healthy release he ends poor: to make {needed} coins"
    " of one he would need luck that comes less than once in {needed} rollouts. He may look as often as he likes."
)


def show_explanation(found: Explanation, terminal: Terminal) -> None:
    """The verdict, the numbers, how sure they make it, and what came of counting and judging again."""
    t = terminal
    is_bad = found.verdict.action is Action.ROLL_BACK
    words = "rolled back" if is_bad else found.outcome.replace("_", " ") or found.verdict.action.value.replace("_", " ")
    said = t.paint(words, "red" if is_bad else "green", "bold")
    t.line(f"{t.paint(found.app, 'bold')} {found.release}  {said}  {clock(found.judged_at)}")
    t.paragraph(clean(found.verdict.because))
    for line in found.verdict.evidence:
        t.paragraph(clean(line), "  - ")
    if found.record is not None:
        _sides(found, found.record, t)
        _strengths(found, found.record, t)
    _again(found, t)


def _sides(found: Explanation, record: Record, t: Terminal) -> None:
    """Both releases beside each other."""
    sides = [record.candidate, *([record.stable] if record.stable else [])]
    rows: list[tuple[str, list[str]]] = [
        ("", [side.release for side in sides]),
        ("requests", [f"{side.served + side.failed:,}" for side in sides]),
        ("failed", [_failed(side) for side in sides]),
        ("p50", [f"{side.p50_ms:.1f} ms" for side in sides]),
        ("p95", [f"{side.p95_ms:.1f} ms" for side in sides]),
        ("users touched", [f"{side.users_touched:,}" for side in sides]),
    ]
    if any(side.memory_last_bytes for side in sides):
        rows.append(("memory", [megabytes(side.memory_last_bytes) for side in sides]))
        rows.append(("restarts", [f"{side.restarts}" for side in sides]))
    if any(side.left_out for side in sides):
        rows.append(("not counted", [f"{side.left_out:,}" for side in sides]))
    t.line()
    for label, cells in rows:
        line = f"  {label:<{_LABEL}}" + "".join(f"{cell:>16}" for cell in cells)
        t.line(line if label else t.paint(line, "dim"))
    if record.p95_change is not None:
        t.line(f"  {'p95 against it':<{_LABEL}}{record.p95_change:>+16.0%}")
    if record.moments:
        t.line()
        t.paragraph(clean(f"share of visitors: {_split(record)}"))
    for error in record.new_errors:
        t.paragraph(clean(f"new error: {error.says()}"))
    if record.memory_says and record.memory_says not in found.verdict.evidence:
        t.paragraph(clean(record.memory_says))
    if record.would_notice:
        usual, noticed = record.would_notice
        t.paragraph(
            f"at this traffic a rise of the error rate from {percent(usual)} to {percent(noticed)} would have been"
            " noticed with 95 % probability"
        )


def _failed(side: SideRecord) -> str:
    whole = side.served + side.failed
    return f"{side.failed:,} ({percent(side.failed / whole)})" if whole and side.failed else f"{side.failed:,}"


def _split(record: Record) -> str:
    found: list[str] = []
    last = -1.0
    for moment in record.moments:
        if moment.share != last:
            last = moment.share
            found.append(f"{100 * last:g} % after {seconds(moment.at_s)}" if found else f"{100 * last:g} % at first")
    return ", ".join(found)


def strongest(record: Record) -> list[Strength]:
    """Each kind of evidence at its strongest, and what it needed to act."""
    found = []
    for number, (of, needed) in enumerate(zip(record.measures, record.needed, strict=False)):
        values = [m.strengths[number] for m in record.moments if number < len(m.strengths)]
        found.append(Strength(of=of, value=max(values, default=0.0), needed=needed))
    return found


def _strengths(found: Explanation, record: Record, t: Terminal) -> None:
    kinds = strongest(record)
    if not kinds:
        return
    worst = max((it for it in kinds if it.of not in FOR), key=lambda it: it.value / it.needed)
    t.line()
    t.line(t.paint("How sure is that?", "bold"))
    t.paragraph(clean(_COIN.format(needed=f"{worst.needed:,.0f}")))
    t.line()
    t.line(t.paint(f"  {'coins made of one':<34}{'most':>12}{'needed':>10}", "dim"))
    for it in sorted(kinds, key=lambda it: it.of in FOR):
        label = f"{'for' if it.of in FOR else 'against'} it: {it.of}"
        mark = "  reached" if it.value >= it.needed else ""
        t.line(f"  {label:<34}{_coins(it.value):>12}{it.needed:>10,.0f}{t.paint(mark, 'bold')}")


def _coins(value: float) -> str:
    return f"{value:,.0f}" if 10 <= value < 1e9 else "over 10⁹" if value >= 1e9 else f"{value:.2g}" if value else "0"


def _again(found: Explanation, t: Terminal) -> None:
    t.line()
    t.line(t.paint("Is it still true?", "bold"))
    recount = found.recount
    if recount.candidate is None:
        _mark(None, f"The requests cannot be counted again: {recount.why_not}.", t)
    else:
        told = "the same numbers" if recount.agrees else "other numbers than those above"
        _mark(recount.agrees, f"Counted again in the access log: {_counted(recount)}; {told}.", t)
    again = found.again
    if again.verdict is None:
        _mark(None, f"The guard cannot be asked again: {again.why_not}.", t)
    elif again.agrees:
        _mark(True, "The guard, asked again about the evidence it had, says the same.", t)
    else:
        _mark(False, f"The guard, asked again, says now: {again.verdict.because}", t)


def _counted(recount: Recount) -> str:
    sides = [side for side in (recount.candidate, recount.stable) if side is not None]
    return ", ".join(f"{side.served:,} served and {side.failed:,} failed on {side.release}" for side in sides)


def _mark(is_so: bool | None, text: str, t: Terminal) -> None:
    kind = "dot" if is_so is None else "done" if is_so else "warning"
    t.paragraph(clean(text), f"  {t.mark(kind)} ")
