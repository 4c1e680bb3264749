"""`underway guard`: simulated days, and the days of an access log, judged by the shipped guard. No agent is needed."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from underway.cli.render.terminal import Terminal, print_json
from underway.terms.problem import Problem, Refusal

if TYPE_CHECKING:
    from underway.guard.policy import Policy
    from underway.guard.simulate.access_log import Recording
    from underway.guard.simulate.report import Report

USUAL_FAULTS = ("healthy", "crash", "errors-5", "errors-1", "slower-100")
Command = Callable[..., Any]


def judged_by(command: Command) -> Command:
    """The options that say by what policy, how often and where to."""
    for option in reversed(
        [
            click.option(
                "--policy", "manifest", type=click.Path(path_type=Path), help="An app's folder or underway.toml."
            ),
            click.option("--steps", help="Shares before 100 %, such as 5,25,50 (over what the manifest says)."),
            click.option(
                "--seed", default=0, show_default=True, type=click.IntRange(0, 2**31), help="Another seed, other days."
            ),
            click.option(
                "--jobs", type=click.IntRange(1, 256), help="Processes at once (default: processors less one)."
            ),
            click.option("--json", "is_json", is_flag=True, help="The figures as JSON."),
            click.option("--report", type=click.Path(path_type=Path), help="Write a page: FILE.html or FILE.md."),
        ]
    ):
        command = option(command)
    return command


@click.group()
def guard() -> None:
    """Try the guard: in simulated days, or on the traffic of your own access log."""


@guard.command()
@click.option("--world", "worlds", multiple=True, metavar="NAME", help="What the day is like (default: all).")
@click.option("--fault", "faults", multiple=True, metavar="NAME", help="What the release brings; healthy: nothing.")
@click.option(
    "--rate", "rates", multiple=True, type=click.FloatRange(0.01, 5000), help="Requests a second (default 5)."
)
@click.option("--peers", is_flag=True, help="Beside Flagger, Argo Rollouts, Kayenta and a ratio at every look.")
@click.option("--runs", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Rollouts of each kind.")
@click.option("--list", "is_list", is_flag=True, help="Name the worlds and faults.")
@judged_by
def simulate(
    worlds: tuple[str, ...],
    faults: tuple[str, ...],
    rates: tuple[float, ...],
    peers: bool,
    runs: int,
    is_list: bool,
    manifest: Path | None,
    steps: str | None,
    seed: int,
    jobs: int | None,
    is_json: bool,
    report: Path | None,
) -> None:
    """Roll out releases in simulated days and count how they end.

    \b
      underway guard simulate --fault crash --rate 0.5 --rate 50
      underway guard simulate --world bursts --fault healthy --peers --runs 1000 --report bursts.html
    """
    from underway.cli.guard_jobs import measure
    from underway.cli.render.guard import show_tables
    from underway.guard.simulate.study import JUDGES, OURS, Cell, Figures, fault_cells, healthy_cells
    from underway.guard.simulate.summary import Asked, figures_of, tables_of
    from underway.guard.simulate.worlds import FAULTS, HEALTHY, WORLDS

    if is_list:
        _list(is_json)
        return
    _check(worlds, [world.name for world in WORLDS], "--world")
    _check(faults, [HEALTHY.name, *(fault.name for fault in FAULTS)], "--fault")
    _check_report(report)
    asked = Asked(
        judges=JUDGES if peers else (OURS,),
        worlds=worlds or tuple(world.name for world in WORLDS),
        faults=faults or USUAL_FAULTS,
        rates=rates or (5.0,),
    )
    policy = _policy(manifest, steps)
    bad = [fault for fault in asked.faults if fault != HEALTHY.name]
    cells = healthy_cells(asked.judges, asked.worlds, asked.rates) if HEALTHY.name in asked.faults else []
    cells += fault_cells(asked.judges, bad, asked.rates, asked.worlds[0])
    done: dict[Cell, Figures] = {}
    with _counted(len(cells) * runs) as ran:
        for cell, figures in measure([(cell, runs) for cell in cells], policy, seed, _jobs(jobs), ran):
            done[cell] = figures
    tables = tables_of(done, asked)
    if is_json:
        found = [{**asdict(cell), "figures": asdict(done[cell])} for cell in cells]
        print_json({"runs": runs, "seed": seed, "cells": found})
    else:
        show_tables(tables, Terminal())
    if report:
        says = f"{runs:,} rollouts of each kind, seeds {seed} to {seed + runs - 1}, by the guard that ships."
        parts = [*tables, *figures_of(done, asked, policy, seed)]
        _write(report, "Releases in simulated days", says, _command("simulate"), parts)


@guard.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="ACCESS_LOG...")
@click.option("--app", default="", help="Only this app (Underway's log) or host.")
@click.option("--fault", "faults", multiple=True, metavar="NAME", help="What the releases bring; healthy: nothing.")
@click.option(
    "--rollouts", default=30, show_default=True, type=click.IntRange(1, 10_000), help="Rollouts for each fault."
)
@judged_by
def replay(
    logs: tuple[Path, ...],
    app: str,
    faults: tuple[str, ...],
    rollouts: int,
    manifest: Path | None,
    steps: str | None,
    seed: int,
    jobs: int | None,
    is_json: bool,
    report: Path | None,
) -> None:
    """Ask what the guard would have done last month.

    Takes the requests of an access log (Underway's, Caddy's or nginx's JSON, common or combined; .gz too), lets
    releases begin at many moments of it, puts each client into a cohort, and adds a fault to what the new release
    answers. Without a fault, whatever is taken back is a false alarm. Nothing leaves this machine.
    """
    from underway.cli.guard_jobs import measure_recorded
    from underway.cli.render.guard import show_tables
    from underway.guard.simulate.recorded import beginnings, roll_out_recorded
    from underway.guard.simulate.study import fault_named, summed_up
    from underway.guard.simulate.summary import one_course, replay_table
    from underway.guard.simulate.worlds import FAULTS, HEALTHY

    _check(faults, [HEALTHY.name, *(fault.name for fault in FAULTS)], "--fault")
    _check_report(report)
    policy = _policy(manifest, steps)
    recording = _read(logs, app)
    faults = faults or USUAL_FAULTS
    with _counted(len(faults) * rollouts) as ran:
        endings = measure_recorded(recording, policy, faults, rollouts, seed, _jobs(jobs), ran)
    found = {fault: summed_up([ending for _, ending in endings[fault]]) for fault in faults}
    alarms = [(at, ending) for at, ending in endings.get(HEALTHY.name, ()) if ending.how == "rolled-back"]
    table = replay_table(found)
    if is_json:
        print_json({"recording": _facts(recording), "found": {fault: asdict(found[fault]) for fault in faults}})
    else:
        terminal = Terminal()
        terminal.line(_said(recording))
        show_tables([table], terminal)
        for at, ending in alarms:
            when = _when(at + ending.at_s)
            terminal.line(f"{terminal.mark('warning')} false alarm at {when}: {ending.reason.replace('-', ' ')}")
    if report:
        parts: list[Any] = [table]
        for fault in [fault for fault in faults if fault != HEALTHY.name][:3] or [HEALTHY.name]:
            looks: list[Any] = []
            at = beginnings(recording, rollouts, seed)[0]
            ending = roll_out_recorded(policy, recording, fault_named(fault), at, seed, looks)
            parts.append(one_course(fault_named(fault).says, f"begun at {_when(at)}", policy, looks, ending))
        _write(report, "What the guard would have done", _said(recording), _command("replay"), parts)


def _jobs(jobs: int | None) -> int:
    from underway.cli.guard_jobs import default_jobs

    return jobs or default_jobs()


def _list(is_json: bool) -> None:
    from underway.guard.simulate.worlds import FAULTS, HEALTHY, WORLDS

    worlds = {world.name: world.says for world in WORLDS}
    faults = {fault.name: fault.says for fault in (HEALTHY, *FAULTS)}
    if is_json:
        print_json({"worlds": worlds, "faults": faults})
        return
    terminal = Terminal()
    for title, named in (("worlds", worlds), ("faults", faults)):
        terminal.line(terminal.paint(title, "bold"))
        for name, says in named.items():
            terminal.line(f"  {name:<13} {says}")


def _check(names: tuple[str, ...], known: list[str], option: str) -> None:
    problems = [
        Problem(
            code="guard.unknown-name",
            where=f"{option} {name[:60]}",
            why=f"there is none of this name; there are {', '.join(known)}",
            remedy="take one of these",
            command="underway guard simulate --list",
        )
        for name in names
        if name not in known
    ]
    if problems:
        raise Refusal(problems)


def _check_report(report: Path | None) -> None:
    if report is not None and (report.suffix not in (".html", ".md") or not report.parent.is_dir()):
        why = "a report is an .html or .md file" if report.suffix not in (".html", ".md") else "its folder is not there"
        remedy = "name a file such as report.html, in a folder that exists"
        raise Refusal([Problem(code="guard.report", where=str(report), why=why, remedy=remedy)])


def _policy(manifest: Path | None, steps: str | None) -> Policy:
    """The policy of the manifest, or the usual one, with the steps of the command line."""
    import msgspec

    from underway.guard.policy import Policy

    policy = Policy()
    if manifest is not None:
        from underway.manifest.model import MANIFEST_FILE, Manifest
        from underway.manifest.read import read_written
        from underway.plan.parts import rollout_of
        from underway.terms.release import Slot

        file = manifest / MANIFEST_FILE if manifest.is_dir() else manifest
        try:
            written = read_written(file.read_text(), file=str(file))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
            remedy = "name an app's folder or its underway.toml"
            raise Refusal([Problem(code="guard.policy", where=str(file), why=why, remedy=remedy)]) from None
        values: dict[str, Any] = {"app": "app", **written.values}
        whole = Manifest(**values)
        policy = rollout_of(whole, Slot.A, "", "", tuple(whole.release.steps)).policy
    if steps is not None:
        try:
            shares = tuple(float(part) / 100 for part in steps.split(",") if part.strip())
        except ValueError:
            shares = (-1.0,)
        if any(not 0 <= share < 1 for share in shares) or list(shares) != sorted(set(shares)):
            why = "steps are ascending shares in per cent, below 100"
            raise Refusal([Problem(code="guard.steps", where=f"--steps {steps[:60]}", why=why, remedy="write 5,25,50")])
        policy = msgspec.structs.replace(policy, steps=shares)
    return policy


def _read(logs: tuple[Path, ...], app: str) -> Recording:
    """The requests of these files, in order of time. Raises `Refusal` when they hold no rollout."""
    from underway.guard.simulate.access_log import Recording, record
    from underway.guard.simulate.recorded import LEAST_S

    recording = Recording()
    problems = []
    for path in logs:
        try:
            with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
                record(file, recording, app)
        except (OSError, EOFError) as error:
            why = getattr(error, "strerror", None) or "it is not a whole gzip file"
            problems.append(Problem(code="guard.log", where=str(path), why=why, remedy="name an access log"))
    if problems:
        raise Refusal(problems)
    recording.sort()
    where = ", ".join(str(path) for path in logs)
    if not app and len(recording.apps) > 1:
        named = ", ".join(f"{name} ({number:,} requests)" for name, number in recording.apps.most_common(10))
        remedy = "choose one"
        command = f"underway guard replay {where} --app {recording.apps.most_common(1)[0][0]}"
        why = f"it has the traffic of several apps: {named}"
        raise Refusal([Problem(code="guard.several-apps", where=where, why=why, remedy=remedy, command=command)])
    if recording.span_s < LEAST_S:
        read = f"{len(recording):,} requests in {recording.span_s / 60:.0f} min were read"
        read += f", {recording.unread:,} of {recording.lines:,} lines were not understood"
        why = f"{read}; {LEAST_S / 60:.0f} min are needed: ten to learn what is usual, five to judge"
        remedy = "give a longer log, or name the app or host that it has"
        raise Refusal([Problem(code="guard.log-too-short", where=where, why=why, remedy=remedy)])
    return recording


def _facts(recording: Recording) -> dict[str, Any]:
    return {
        "requests": len(recording),
        "failed": recording.failures,
        "clients": len(recording.clients),
        "from": recording.at[0],
        "to": recording.at[-1],
        "has_times": recording.has_times,
        "lines_not_understood": recording.unread,
    }


def _said(recording: Recording) -> str:
    per_s = len(recording) / max(recording.span_s, 1.0)
    said = f"{len(recording):,} requests of {len(recording.clients):,} clients from {_when(recording.at[0])} to"
    said += f" {_when(recording.at[-1])}, {per_s:.2g} a second, {recording.failures:,} failed."
    if recording.unread:
        said += f" {recording.unread:,} lines were not understood."
    if not recording.has_times:
        said += " The log has no times: only errors are judged."
    return said


def _when(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


@contextmanager
def _counted(total: int) -> Iterator[Callable[[int], None]]:
    """Shows how many of `total` rollouts are done while they are made."""
    import sys

    terminal, done = Terminal(sys.stderr), 0

    def ran(number: int) -> None:
        nonlocal done
        done += number
        terminal.draw(f"{done:,} of {total:,} rollouts")

    try:
        yield ran
    finally:
        terminal.clear()


def _command(name: str) -> str:
    """The command line that was typed, quoted."""
    import shlex
    import sys

    typed = sys.argv[1:]
    return shlex.join(["underway", *typed]) if name in typed else f"underway guard {name}"


def _write(path: Path, title: str, says: str, made_by: str, parts: list[Any]) -> None:
    """Write the page, and for Markdown its pictures beside it."""
    from underway.guard.simulate.report import Figure, Report, alone, as_html, as_markdown

    report: Report = Report(title, says, made_by, parts)
    if path.suffix == ".html":
        path.write_text(as_html(report))
    else:
        names = []
        for number, figure in enumerate([part for part in parts if isinstance(part, Figure)], 1):
            names.append(f"{path.stem}-{number}.svg")
            path.with_name(names[-1]).write_text(alone(figure.svg))
        path.write_text(as_markdown(report, names))
    click.echo(f"wrote {path}", err=True)
