from __future__ import annotations

from typing import Protocol

from underway.terms.process import Task, TaskEnd


class Commands(Protocol):
    """Runs commands to their end. A command never outlives the agent unnoticed: `sweep` ends leftovers."""

    async def run(self, task: Task) -> TaskEnd:
        """Run it and wait. On its time limit or on cancellation the whole process tree is ended.

        Raises `Failure` (`command.spawn`) when it cannot be started; a non-zero exit is a `TaskEnd`, not an error.
        """
        ...

    async def sweep(self) -> int:
        """End every process of tasks that a former agent of this home left behind; return how many."""
        ...
