"""What to do with an act that the agent's end interrupted. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from underway.journal.act_state import ActState, Phase, StepState
from underway.journal.events.acts import ActKind

INTERRUPTIONS_UNTIL_UNDO = 3
"""An act that the agent did not survive this often is undone: it may be what ends the agent."""


class NextMove(NamedTuple):
    """`go_on` runs what is left, `undo` takes back what was begun, `close` only ends the act."""

    kind: Literal["go_on", "undo", "close"]
    because: str


def next_move(act: ActState) -> NextMove:
    """Decide from the journal alone, so that the same journal always gives the same answer."""
    if act.phase is Phase.STARTED:
        return NextMove("close", "it had no plan yet, so nothing was changed")
    if act.phase is Phase.UNDOING or StepState.FAILED in act.steps.values():
        return NextMove("undo", "it was being taken back, and that goes on")
    if act.kind is ActKind.WATCH and act.interruptions < INTERRUPTIONS_UNTIL_UNDO:
        return NextMove("go_on", "the watch goes on with what it had seen")
    if act.kind is ActKind.WATCH and not act.steps:
        return NextMove("close", f"it was interrupted {act.interruptions} times")
    if act.interruptions >= INTERRUPTIONS_UNTIL_UNDO:
        return NextMove("undo", f"it was interrupted {act.interruptions} times")
    begun = next((step for step, state in act.steps.items() if state is StepState.STARTED), None)
    if begun:
        return NextMove("go_on", f"it goes on with step {begun}, which is safe to repeat")
    return NextMove("go_on", f"{len(act.steps)} steps were done; it goes on after them")
