"""Hazards of migrations as a person reads them."""

from __future__ import annotations

from underway.agent.views import LintView
from underway.cli.render.terminal import Terminal, clean
from underway.terms.count import counted


def show_lint(found: LintView, terminal: Terminal) -> None:
    """Each hazard with its recipe; then what a deploy would say to them."""
    t = terminal
    for hazard in found.hazards:
        t.line(f"{t.mark('warning' if hazard.allowed else 'failed')} {t.paint(clean(hazard.where), 'bold')}")
        t.line(f"  {clean(hazard.statement)}")
        t.line(f"  {hazard.harm.value} ({hazard.rule}): it {clean(hazard.says)}")
        if hazard.allowed:
            t.line(f"  {t.mark('dot')} allowed: {clean(hazard.allowed)}")
        else:
            t.line(f"  {t.mark('arrow')} {clean(hazard.recipe)}")
    if not found.tool:
        t.line(f"{t.mark('warning')} The SQL is not known: {clean(found.why_not)}.")
        t.line("  A deploy tries the migrations on a copy of the database first, and judges what they did there.")
        return
    stop = sum(not hazard.allowed for hazard in found.hazards)
    count = len(found.migrations)
    read = f"{counted(count, 'migration')} pending ({found.tool})" if count else "Nothing is pending"
    said = f"{counted(stop, 'statement')} would stop a deploy" if stop else "nothing would stop a deploy"
    t.line(f"{t.mark('failed' if stop else 'done')} {read}; {said}.")
