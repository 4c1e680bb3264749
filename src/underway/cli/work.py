"""Ask for work on an app's data and follow it to its end."""

from __future__ import annotations

import time

from underway.agent.views import WorkAsk, WorkView
from underway.cli.client import Client, connect, of_app
from underway.cli.render.terminal import Terminal
from underway.cli.render.words import megabytes, seconds
from underway.terms.problem import Failure, Refusal

_LOOK_S = 0.15
_BAR = 24


class WorkFailed(Failure):
    """What was asked for did not succeed, and it is no fault of Underway."""


def do_work(app: str, ask: WorkAsk, terminal: Terminal) -> WorkView:
    """Begin it, draw how far it is, and return what came of it. Raises `Refusal` and `Failure`."""
    client = connect()
    work = client.post(of_app(app, "/work"), WorkView, ask)
    while not work.ended_at:
        _draw(work, terminal)
        time.sleep(_LOOK_S)
        work = _again(client, work.id)
    terminal.clear()
    if work.problems:
        if work.log_tail or len(work.problems) == 1:
            is_fault = work.problems[0].code == "underway.fault"
            raise (Failure if is_fault else WorkFailed)(work.problems[0], work.log_tail)
        raise Refusal(work.problems)
    return work


def _again(client: Client, work_id: str) -> WorkView:
    return client.get(f"/v1/work/{work_id}", WorkView)


def _draw(work: WorkView, terminal: Terminal) -> None:
    what = work.says or work.kind
    bar = ""
    if work.done and work.of:
        share = min(1.0, work.done / work.of)
        bar = f"  [{'#' * round(_BAR * share):<{_BAR}}]"
    if work.done:
        bar += f"  {megabytes(work.done)}"
    terminal.draw(f"{what}{bar}  {terminal.paint(seconds(time.time() - work.began_at), 'dim')}")
