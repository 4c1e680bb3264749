"""Ask for a plan, show it, run it, follow it to its end."""

from __future__ import annotations

import getpass
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from underway.agent.views import AppView, PlanAsk, PlanView, Started
from underway.cli.client import AgentGone, Client, connect
from underway.cli.render.act import ActRenderer, show_plan
from underway.cli.render.problems import exit_code_of, problems_of
from underway.cli.render.rollout import Watching
from underway.cli.render.terminal import Terminal, print_json
from underway.journal.events.acts import ActKind
from underway.terms.outcome import EXIT_FAULT, EXIT_INTERRUPTED, Outcome
from underway.terms.problem import Failure, Refusal

_RESTARTS = 5
_REPLANS = 3


def perform(
    ask: PlanAsk,
    *,
    is_json: bool,
    is_dry_run: bool = False,
    is_waiting: bool = False,
    is_watching: bool = False,
    question: str = "",
) -> int:
    """Carry an ask through; return the exit code. `question` is asked first where a person can answer. With
    `is_watching` the watch that follows a deploy is followed to its end as well.

    With `is_json` the last line is a `finished` object whatever happens, short of being interrupted.
    """
    began = time.monotonic()
    ask = msgspec.structs.replace(ask, by=ask.by or getpass.getuser())
    try:
        return _perform(ask, is_json, is_dry_run, is_waiting, is_watching, question)
    except (Refusal, Failure, AgentGone) as error:
        if not is_json:
            raise
        print_json(_ended_early(ask, error, time.monotonic() - began))
        return exit_code_of(error)


def _perform(ask: PlanAsk, is_json: bool, is_dry_run: bool, is_waiting: bool, is_watching: bool, question: str) -> int:
    terminal = Terminal()
    client = connect()
    plan = _plan(client, ask, is_waiting)
    if is_dry_run:
        _show_dry_run(plan, terminal, is_json)
        return 0
    if not is_json:
        show_plan(plan, terminal)
    if question and sys.stdin.isatty() and not is_json and not click.confirm(question, default=True):
        return Outcome.REFUSED.exit_code
    plan, started = _run(client, ask, plan, is_waiting)
    try:
        code = _follow(client, started, plan, terminal, is_json)
        if is_watching and code == 0 and plan.watch_s and (watch := _watch_of(client, plan)):
            return _follow(client, watch, plan, terminal, is_json)
        return code
    except KeyboardInterrupt:
        _say_that_it_goes_on(plan)
        return EXIT_INTERRUPTED


def _watch_of(client: Client, plan: PlanView) -> Started | None:
    """The act that watches the release of `plan`, once the agent has begun it; None when there is none."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        try:
            watching = client.get(f"/v1/apps/{plan.app}", AppView).watching
        except AgentGone:
            connect(os.environ)
            continue
        if watching is not None and watching.release == plan.release:
            return Started(act=watching.id, app=plan.app, release=plan.release)
        time.sleep(0.1)
    return None


def _say_that_it_goes_on(plan: PlanView) -> None:
    """Ctrl-C ends the command line only."""
    terminal = Terminal(sys.stderr)
    terminal.line()
    terminal.line(f"The {plan.kind.value} of {plan.app} goes on: the agent runs it, this command only watched.")
    terminal.line(f"  watch it again:  underway events {plan.app} -f")
    terminal.line(f"  see its end:     underway status {plan.app}")
    if plan.kind is ActKind.DEPLOY and plan.was:
        terminal.line(f"  take it back:    underway rollback {plan.app}   (once it has ended)")


def _run(client: Client, ask: PlanAsk, plan: PlanView, is_waiting: bool) -> tuple[PlanView, Started]:
    """Run the plan. When the app changed since it was made, or the agent ended before it began, ask again."""
    for _ in range(_REPLANS):
        try:
            return plan, client.post(f"/v1/plans/{plan.id}/run", Started)
        except Refusal as refusal:
            if not any(problem.code in ("plan.stale", "plan.unknown") for problem in refusal.problems):
                raise
        except AgentGone:
            connect(os.environ)
            if started := _begun(client, plan):
                return plan, started
        plan = _plan(client, ask, is_waiting)
    return plan, client.post(f"/v1/plans/{plan.id}/run", Started)


def _begun(client: Client, plan: PlanView) -> Started | None:
    """The act that runs this plan, when the agent had written it down before it ended."""
    for event in client.lines("/v1/events", app=plan.app, limit=50):
        if event["event"] == "act_started" and event["release"] == plan.release and event["kind"] == plan.kind.value:
            return Started(act=event["act"], app=plan.app, release=plan.release)
    return None


def _plan(client: Client, ask: PlanAsk, is_waiting: bool) -> PlanView:
    losses = 0
    while True:
        try:
            return client.post("/v1/plans", PlanView, ask)
        except AgentGone:  # planning changes nothing, so it is asked for again
            losses += 1
            if losses > _RESTARTS:
                raise
            connect(os.environ)
        except Refusal as refusal:
            held = [p for p in refusal.problems if p.code == "lease.held"]
            if not (is_waiting and held):
                raise
            try:
                for event in client.lines("/v1/events", app=held[0].where, follow=True, limit=1):
                    if event["event"] == "finished":
                        break
            except AgentGone:
                connect(os.environ)


def _follow(client: Client, started: Started, plan: PlanView, terminal: Terminal, is_json: bool) -> int:
    renderer = ActRenderer(plan, terminal)
    watching = Watching()
    for event in follow_act(client, started.act):
        if event is None:
            if not is_json:
                renderer.tick()
            continue
        if not is_json:
            renderer.show(event)
        elif watching.is_worth_a_line(event, time.monotonic()):
            print_json(event)
        if event["event"] == "finished":
            return Outcome(event["outcome"]).exit_code
    return EXIT_FAULT


def follow_act(client: Client, act: str) -> Iterator[dict[str, Any] | None]:
    """The act's events and `rollout` lines, and None ten times a second in between. An agent that ends is started
    again."""
    last, restarts = 0, 0
    while True:
        lines: queue.Queue[dict[str, Any] | Exception | None] = queue.Queue()
        threading.Thread(target=_read, args=(client, act, last, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=0.1)
            except queue.Empty:
                yield None
                continue
            if isinstance(line, AgentGone) and restarts < _RESTARTS:
                restarts += 1
                connect(os.environ)
                break
            if isinstance(line, Exception):
                raise line
            if line is not None:
                last = int(line.get("seq", last))
                yield line
                if line["event"] == "finished":
                    return


def _read(client: Client, act: str, after: int, lines: queue.Queue[Any]) -> None:
    try:
        for line in client.lines("/v1/events", act=act, after=after, follow=True):
            lines.put(line)
    except Exception as error:
        lines.put(error)


def _show_dry_run(plan: PlanView, terminal: Terminal, is_json: bool) -> None:
    if is_json:
        print_json(plan)
        return
    show_plan(plan, terminal)
    terminal.line(terminal.paint("Nothing was changed (--dry-run).", "dim"))


def _ended_early(ask: PlanAsk, error: Exception, took_s: float) -> dict[str, Any]:
    """The `finished` object of an act that was refused, or that this command could not follow to its end."""
    return {
        "event": "finished",
        "app": ask.app,
        "release": "",
        "outcome": (Outcome.REFUSED if isinstance(error, Refusal) else Outcome.FAILED).value,
        "url": "",
        "duration_s": round(took_s, 3),
        "steps": [],
        "requests": {"served": 0, "failed": 0},
        "problems": problems_of(error),
    }
