"""Backups as a person looks at them: what is not proven is amber, what is damaged is red."""

from __future__ import annotations

from underway.agent.views import BackupsView, BackupView, StandingView
from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import ago, clock, megabytes, seconds
from underway.terms.backup import Backup, Proof, held_by
from underway.terms.count import counted

_COLOURS = {
    "proven": "green", "unproven": "amber", "damaged": "red", "late": "red", "none": "amber", "off": "dim",
}  # fmt: skip


def show_backups(view: BackupsView, terminal: Terminal) -> None:
    t = terminal
    standing = t.paint(view.standing, _COLOURS.get(view.standing, "dim"), "bold")
    t.line(f"{t.paint(view.app, 'bold')}  {standing}  {clean(view.says)}")
    for it in view.backups:
        worth = t.paint(f"{it.condition:<9}", _COLOURS[it.condition])
        what = f"{it.rows:,} rows" if it.tables else f"{sum(part.files for part in it.parts):,} files"
        t.line(
            f"{it.id}  {worth}  {clock(it.at)}  {ago(it.at):>12}  {megabytes(it.size_bytes):>9}  {what:>14}"
            f"  {it.name or it.reason}{_more(it)}"
        )
        if it.damage:
            t.line(t.paint(f"            {clean(it.damage)}", "red"))
        elif it.proof:
            smoke = f", {it.proof.smoke}" if it.proof.smoke else ""
            how = f"{it.proof.how} {ago(it.proof.at)}: back in {seconds(it.proof.restore_s)}{smoke}"
            t.line(t.paint(f"            {clean(how)}", "dim"))
    if not view.backups:
        t.line(f"  make one: underway db backup {view.app}")
    elif view.standing == "unproven":
        t.line(f"  prove it: underway db drill {view.app}")


def show_snapshots(app: str, snapshots: list[BackupView], terminal: Terminal) -> None:
    for it in snapshots:
        terminal.line(f"{it.name:<20}  {it.id}  {clock(it.at)}  {ago(it.at):>12}  {megabytes(it.size_bytes):>9}")
    if not snapshots:
        terminal.line(f"{app} has no snapshot; make one: underway db snapshot {app} NAME")


def _more(it: BackupView) -> str:
    words = [*(["encrypted"] if it.is_encrypted else []), *(f"copy at {clean(place)}" for place in it.copies)]
    return f"  ({', '.join(words)})" if words else ""


def standing_line(app: str, view: StandingView, terminal: Terminal) -> str:
    """For `status`: nothing to see where all is proven."""
    age = f", the newest is from {ago_s(view.age_s)} ago" if view.newest else ""
    return terminal.paint(f"backups {view.standing}: {clean(view.says)}{age}", _COLOURS.get(view.standing, "dim"))


def ago_s(age_s: float) -> str:
    return ago(0.0, age_s).removesuffix(" ago")


def show_made(backup: Backup, terminal: Terminal) -> None:
    t = terminal
    size = f"{megabytes(backup.size_bytes)} in {seconds(backup.took_s)}"
    t.line(f"{t.paint('Backed up', 'green', 'bold')}  {backup.id}  {size}")
    for part in backup.parts:
        what = held_by(len(part.tables), part.rows, 0 if part.tables else part.files)
        head = f"  at {clean(part.schema_head)}" if part.schema_head else ""
        t.line(f"  {part.source or 'database'}  {what}  {megabytes(part.size_bytes)}{head}")
    t.line(t.paint(f"  unproven until it is restored: underway db drill {backup.app}", "amber"))


def show_proof(proof: Proof, terminal: Terminal) -> None:
    t = terminal
    t.line(f"{t.paint('Proven', 'green', 'bold')}  backup {proof.backup} on {proof.server or 'disk'}")
    t.line(f"  what was backed up is there: {held_by(proof.tables, proof.rows, proof.files)}")
    t.line(
        f"  back in     {seconds(proof.restore_s)}  (RTO: from the start of the restore until the app answered on it)"
    )
    t.line(f"  data as of  {seconds(proof.lost_s)} before the drill  (RPO)")
    t.line(f"  smoke       {clean(proof.smoke) or 'the app has no smoke requests: [[smoke]] in underway.toml'}")


def show_read(read: list[str], terminal: Terminal) -> None:
    count = counted(len(read), "backup")
    terminal.line(f"{terminal.paint('Whole', 'green', 'bold')}  {count} read to the last byte: {', '.join(read)}")
