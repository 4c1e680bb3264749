"""Ask for a plan, show it, run it, follow it to its end."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import click

from underway.agent.views import PlanAsk, PlanView, Started
from underway.cli.client import AgentGone, Client, connect
from underway.cli.render.act import ActRenderer, show_plan
from underway.cli.render.terminal import Terminal
from underway.terms.outcome import EXIT_FAULT, Outcome
from underway.terms.problem import Refusal

_RESTARTS = 5
_REPLANS = 3


def perform(
    ask: PlanAsk, *, is_json: bool, is_dry_run: bool = False, is_waiting: bool = False, question: str = ""
) -> int:
    """Carry an ask through; return the exit code. `question` is asked first where a person can answer."""
    terminal = Terminal()
    client = connect()
    began = time.monotonic()
    try:
        plan = _plan(client, ask, is_waiting)
        if is_dry_run:
            _show_dry_run(plan, terminal, is_json)
            return 0
        if not is_json:
            show_plan(plan, terminal)
        if question and sys.stdin.isatty() and not is_json and not click.confirm(question, default=True):
            return Outcome.REFUSED.exit_code
        plan, started = _run(client, ask, plan, is_waiting)
    except Refusal as refusal:
        if is_json:
            _print_json(_refused(ask, refusal, time.monotonic() - began))
            return Outcome.REFUSED.exit_code
        raise
    return _follow(client, started, plan, terminal, is_json)


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
    while True:
        try:
            return client.post("/v1/plans", PlanView, ask)
        except Refusal as refusal:
            held = [p for p in refusal.problems if p.code == "lease.held"]
            if not (is_waiting and held):
                raise
            for event in client.lines("/v1/events", app=held[0].where, follow=True, limit=1):
                if event["event"] == "finished":
                    break


def _follow(client: Client, started: Started, plan: PlanView, terminal: Terminal, is_json: bool) -> int:
    renderer = ActRenderer(plan, terminal)
    for event in follow_act(client, started.act):
        if event is None:
            if not is_json:
                renderer.tick()
            continue
        if is_json:
            _print_json(event)
        else:
            renderer.show(event)
        if event["event"] == "finished":
            return Outcome(event["outcome"]).exit_code
    return EXIT_FAULT


def follow_act(client: Client, act: str) -> Iterator[dict[str, Any] | None]:
    """The act's events, and None ten times a second in between. An agent that ends is started again."""
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
                last = int(line["seq"])
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
        import msgspec

        sys.stdout.write(msgspec.json.encode(plan).decode() + "\n")
        return
    show_plan(plan, terminal)
    terminal.line(terminal.paint("Nothing was changed (--dry-run).", "dim"))


def _refused(ask: PlanAsk, refusal: Refusal, took_s: float) -> dict[str, Any]:
    import msgspec

    return {
        "event": "finished",
        "app": ask.app,
        "release": "",
        "outcome": "refused",
        "url": "",
        "duration_s": round(took_s, 3),
        "steps": [],
        "requests": {"served": 0, "failed": 0},
        "problems": msgspec.to_builtins(refusal.problems),
    }


def _print_json(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n")
    sys.stdout.flush()
