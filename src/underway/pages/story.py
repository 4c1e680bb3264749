"""An act as a person follows it: what the journal says of it, put in the order of its plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from underway.journal.events.acts import (
    ActKind,
    ActStarted,
    BudgetOverdrawn,
    Finished,
    Interrupted,
    Judged,
    Ordered,
    Paused,
    Planned,
    ShareMoved,
    StepDone,
    StepFailed,
    StepLine,
    StepStarted,
    UndoDone,
    UndoFailed,
    UndoStarted,
)
from underway.journal.events.releases import TrafficSwitched
from underway.journal.recorded import Recorded
from underway.terms.problem import Problem
from underway.terms.verdict import Verdict

SIGNS = {
    "to-do": ("·", "to do"),
    "busy": ("…", "going on"),
    "done": ("✓", "done"),
    "failed": ("✗", "failed"),
    "undoing": ("…", "being taken back"),
    "undone": ("↺", "taken back"),
    "undo-failed": ("✗", "could not be taken back"),
}


@dataclass
class StepStory:
    line: StepLine
    state: str = "to-do"
    took_s: float = 0.0
    result: str = ""

    @property
    def sign(self) -> str:
        return SIGNS[self.state][0]

    @property
    def says(self) -> str:
        return SIGNS[self.state][1]


@dataclass
class Story:
    """`told` are the moments worth telling, oldest first: when, and one sentence."""

    act: str
    kind: ActKind | None = None
    release: str = ""
    by: str = ""
    began_at: float = 0.0
    steps: dict[str, StepStory] = field(default_factory=dict)
    share: float = 0.0
    paused: str = ""
    verdict: Verdict | None = None
    problems: list[Problem] = field(default_factory=list)
    log_tail: tuple[str, ...] = ()
    told: list[tuple[float, str]] = field(default_factory=list)
    finished: Finished | None = None
    ended_at: float = 0.0

    def say(self, at: float, text: str) -> None:
        self.told.append((at, text))


def tell(act: str, records: Iterable[Recorded]) -> Story:
    """The story of one act from its events, oldest first."""
    story = Story(act)
    for record in records:
        _hear(story, record)
    return story


def _hear(story: Story, record: Recorded) -> None:
    at, event = record.at, record.event
    match event:
        case ActStarted():
            story.kind, story.release, story.by, story.began_at = event.kind, event.release, event.by, at
        case Planned():
            story.steps = {line.id: StepStory(line) for line in event.steps}
        case BudgetOverdrawn():
            story.say(at, f"{event.says}; {event.by or 'somebody'} released all the same: {event.because}")
        case StepStarted():
            _step(story, event.step, event.says).state = "busy"
        case StepDone():
            step = _step(story, event.step)
            step.state, step.took_s, step.result = "done", event.took_s, event.result
        case StepFailed():
            step = _step(story, event.step)
            step.state, step.took_s = "failed", event.took_s
            story.problems += [event.problem, *event.further]
            story.log_tail = event.log_tail
        case UndoStarted():
            _step(story, event.step, event.says).state = "undoing"
        case UndoDone():
            _step(story, event.step).state = "undone"
        case UndoFailed():
            _step(story, event.step).state = "undo-failed"
            story.problems.append(event.problem)
        case ShareMoved():
            story.share, story.paused = event.share, ""
            story.say(at, f"{100 * event.share:g} % of visitors get {event.release}: {event.because}")
        case TrafficSwitched():
            story.share = 1.0 if event.release == story.release else story.share
            story.say(at, f"everybody gets {event.release or 'nothing'}")
        case Paused():
            story.paused = event.because
            story.say(at, f"it waits: {event.because}")
        case Ordered():
            why = f": {event.because}" if event.because else ""
            story.say(at, f"{event.by} ordered {event.order.value}{why}")
        case Judged():
            if story.verdict is None or story.verdict.because != event.verdict.because:
                story.say(at, f"verdict: {event.verdict.because}")
            story.verdict = event.verdict
        case Interrupted():
            then = "went on" if event.goes_on else "took it back"
            story.say(at, f"the agent ended in the middle; the next one {then}: {event.because}")
        case Finished():
            story.finished, story.ended_at = event, at
            story.problems = story.problems or list(event.problems)
        case _:
            pass


def _step(story: Story, name: str, says: str = "") -> StepStory:
    if name not in story.steps:
        story.steps[name] = StepStory(StepLine(id=name, says=says or name, undo=""))
    return story.steps[name]
