"""A plan and its run, as a person watches them."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from underway.agent.views import PlanView, RolloutLine, RolloutView
from underway.cli.render.explain import explain
from underway.cli.render.problems import show_log, show_problems
from underway.cli.render.rehearsal import show_rehearsal
from underway.cli.render.rollout import Watching, rollout_block, rollout_line
from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import milliseconds, requests, seconds
from underway.terms.count import counted
from underway.terms.problem import Problem

_VERDICTS = {"roll_back": "taken back", "advance": "goes live", "continue": "stays live"}
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def show_plan(plan: PlanView, terminal: Terminal) -> None:
    """What was recognised, and one line per step."""
    if plan.claims:
        terminal.line(terminal.paint("Recognised", "bold"))
        explain(plan.claims, terminal)
    for note in plan.notes:
        terminal.paragraph(clean(note), f"{terminal.mark('warning')} ")
    was = f", {plan.was} is live" if plan.was and plan.was != plan.release else ""
    terminal.line(terminal.paint(f"Plan: {plan.kind.value} {plan.app} {plan.release}{was}", "bold"))
    if plan.strategy and plan.was:
        terminal.line(f"  {plan.strategy}: {clean(plan.because)}")
    for number, step in enumerate(plan.steps, start=1):
        one_way = terminal.paint("  one way", "amber") if step.is_one_way else ""
        terminal.line(f"  {number:>2}  {clean(step.says)}{one_way}")
        if step.is_one_way:
            terminal.line(terminal.paint(f"      {clean(step.undo)}", "dim"))
    terminal.line()


class ActRenderer:
    """Follows one act's events and keeps a line that says what is going on now.

    `is_brief` leaves out logs, remedies and the counts at the end, for a reader who watches a play.
    """

    def __init__(self, plan: PlanView, terminal: Terminal, *, is_brief: bool = False) -> None:
        self._is_brief = is_brief
        self._plan = plan
        self._terminal = terminal
        self._width = max((len(step.id) for step in plan.steps), default=8)
        self._now = ""
        self._since = time.monotonic()
        self._turn = 0
        self.is_rolling_out = self._is_judged = False
        self._view: RolloutView | None = None
        self._watching_it = Watching()
        self._has_effect = True

    @property
    def now(self) -> str:
        """The running step, empty between two."""
        return self._now

    def tick(self) -> None:
        """Draw the running step again, with its time."""
        sign = _SPINNER[self._turn % len(_SPINNER)] if self._terminal.has_unicode else "*"
        self._turn += 1
        if self._view is not None and self.is_rolling_out:
            took_s = time.monotonic() - self._since
            self._terminal.draw(*rollout_block(self._view, self._terminal, sign, took_s))
        elif self._now:
            took = seconds(time.monotonic() - self._since)
            text = f"{sign} {self._now}"[: max(10, self._terminal.width - 12)]
            self._terminal.draw(f"{text}  {self._terminal.paint(took, 'dim')}")

    def show(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "step_started" | "undo_started":
                self._has_effect = not event["says"].startswith("nothing to undo")
                self._begin(f"{event['step']:<{self._width}}  {clean(event['says'])}")
            case "step_done":
                self._end("done", event)
            case "step_failed":
                self._end("failed", event)
                self._problem(event)
            case "undo_done" if self._has_effect:
                self._end("undone", event)
            case "undo_failed":
                self._end("failed", event)
                show_problems([_problem(event["problem"])], self._terminal)
            case "share_moved":
                self._moved(event)
            case "paused":
                self._paused(event)
            case "ordered":
                self._terminal.line(f"{self._terminal.mark('arrow')} {event['by']} ordered: {event['order']}")
            case "rollout":
                self.rollout(msgspec.convert(event, RolloutLine))
            case "judged":
                self._judged(event["verdict"])
                show_log(event["log_tail"], self._terminal)
            case "interrupted":
                self._interrupted(event)
            case "rehearsed" if not self._is_brief:
                self._terminal.clear()
                show_rehearsal(event["rehearsal"], self._terminal)
            case "instance_lost":
                self._terminal.line(f"{self._terminal.mark('warning')} {event['instance']} ended: {event['exit_code']}")
            case "finished":
                self._finished(event)
            case _:
                pass
        self._watching(event)

    def _problem(self, event: dict[str, Any]) -> None:
        if self._is_brief:
            lines = [event["problem"]["why"], *event["log_tail"][-1:]]
            for line in lines:
                self._terminal.line(f"  {clean(line)[: self._terminal.width - 4]}")
        else:
            told = [event["problem"], *event.get("further", ())]
            show_problems([_problem(each) for each in told], self._terminal, event["log_tail"])

    def _begin(self, what: str) -> None:
        self._now, self._since = what, time.monotonic()
        if not self._is_brief:
            self.tick()

    def _end(self, kind: str, event: dict[str, Any]) -> None:
        t = self._terminal
        self._now = ""
        took = t.paint(f"{seconds(event['took_s']):>9}", "dim")
        result = f"  {clean(event.get('result', ''))}"
        t.line(f"{t.mark(kind)} {event['step']:<{self._width}} {took}{result}".rstrip())

    def _watching(self, event: dict[str, Any]) -> None:
        if event["event"] == "step_done" and event["step"] == "switch":
            self._begin(f"{'watch':<{self._width}}  checking health on live traffic")

    def _moved(self, event: dict[str, Any]) -> None:
        t = self._terminal
        self.is_rolling_out = not self._is_judged
        share = t.paint(f"{100 * event['share']:g} %", "bold")
        t.line(f"{t.mark('arrow')} {share} of the visitors get {event['release']}: {clean(event['because'])}")
        self._begin(f"{100 * event['share']:g} % {event['release']}")

    def _paused(self, event: dict[str, Any]) -> None:
        t = self._terminal
        t.line(f"{t.mark('warning')} {clean(event['because'])}")
        t.line(f"  waiting for {clean(event['waiting_for'])}")

    def rollout(self, view: RolloutView) -> None:
        """Show both releases, the evidence and what is waited for: drawn over, or as a line where that cannot be."""
        if self._is_judged:
            return
        if not self.is_rolling_out:  # the dark step moves no share
            self.is_rolling_out = True
            self._begin(f"{100 * view.share:g} % {view.candidate.release}")
        self._view = view
        if not self._terminal.is_live and self._watching_it.is_news(view, time.monotonic()):
            self._terminal.line(f"  {rollout_line(view)}")

    def _judged(self, verdict: dict[str, Any]) -> None:
        t = self._terminal
        is_bad = verdict["action"] == "roll_back"
        self.is_rolling_out, self._view = False, None
        self._is_judged = True
        took = t.paint(f"{seconds(time.monotonic() - self._since):>9}", "dim")
        self._now = ""
        label = f"{_VERDICTS.get(verdict['action'], 'verdict'):<{self._width}}"
        t.line(f"{t.mark('failed' if is_bad else 'done')} {label} {took}  {clean(verdict['because'])}")
        for line in verdict["evidence"]:
            t.line(f"  {clean(line)}")

    def _interrupted(self, event: dict[str, Any]) -> None:
        t = self._terminal
        what = "goes on" if event["goes_on"] else "takes it back"
        t.line(f"{t.mark('warning')} The agent ended; the next one {what}: {clean(event['because'])}")

    def _finished(self, event: dict[str, Any]) -> None:
        t = self._terminal
        self._now = ""
        counts = event["requests"]
        meanwhile = f"{requests(counts['served'], counts['failed'])} meanwhile"
        if self._is_brief:
            self._finished_briefly(event)
            return
        took = f"{counted(len(event['steps']), 'step')} in {seconds(event['duration_s'])}"
        t.line()
        match event["outcome"]:
            case "live":
                t.line(f"{t.paint('Live', 'green', 'bold')}  {event['release']}  {t.paint(event['url'], 'bold')}")
                for change in event["changes"]:
                    t.line(f"  {t.mark('dot')} {clean(change)}")
                if self._plan.watch_s and event["kind"] == "deploy":
                    more = f"watched for {seconds(self._plan.watch_s)} from now on: underway status {self._plan.app}"
                    t.line(f"  {t.mark('dot')} {more}")
            case "done":
                t.line(t.paint("Done", "green", "bold"))
            case "unwell":
                t.line(f"{t.paint('Live and unwell', 'red', 'bold')}  {event['release']}")
                t.line(f"  because {clean(event['because'])}")
            case "rolled_back":
                serves = f"{event['live']} serves again" if event["live"] else "nothing serves"
                t.line(f"{t.paint('Rolled back', 'red', 'bold')}  {event['release']}; {serves}")
                t.line(f"  because {clean(event['because'])}")
            case _:
                untouched = "" if "migrate" in {step["id"] for step in event["steps"]} else " was not touched and"
                serves = f"{event['live']}{untouched} serves" if event["live"] else "nothing was live before"
                t.line(f"{t.paint('Failed', 'red', 'bold')}  {event['release']}; {serves}")
                t.line(f"  because {clean(event['because'])}")
        if event["outcome"] == "live" and event["because"]:
            t.line(f"  {t.mark('dot')} {clean(event['because'])}")
        t.line(t.paint(f"  {took}; {meanwhile}", "dim"))
        for release, traffic in sorted(event["traffic"].items()):
            if traffic["served"] + traffic["failed"]:
                t.line(
                    t.paint(
                        f"  {release or 'no release'}: {requests(traffic['served'], traffic['failed'])},"
                        f" p50 {milliseconds(traffic['p50_ms'])}, p95 {milliseconds(traffic['p95_ms'])}",
                        "dim",
                    )
                )

    def _finished_briefly(self, event: dict[str, Any]) -> None:
        t = self._terminal
        took = seconds(event["duration_s"])
        if event["outcome"] == "live":
            t.line(f"{t.paint('Live', 'green', 'bold')}  {event['release']} after {took}  {event['url']}")
        else:
            words = event["outcome"].replace("_", " ").capitalize()
            t.line(f"{t.paint(words, 'red', 'bold')}  {event['release']} after {took}; {event['live']} serves")


def _problem(fields: dict[str, Any]) -> Problem:
    return Problem(**fields)
