"""A line that says what is being waited for, on a terminal that can draw."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from underway.cli.render.terminal import Terminal
from underway.cli.render.words import seconds


@contextlib.contextmanager
def waiting(what: str, *, is_quiet: bool = False) -> Iterator[None]:
    """Draw `what` with its time on stderr, ten times a second, until the block ends. Pipes get nothing."""
    terminal = Terminal(sys.stderr)
    if is_quiet or not sys.stderr.isatty():
        yield
        return
    is_over = threading.Event()
    began = time.monotonic()

    def draw() -> None:
        while not is_over.wait(0.1):
            terminal.draw(f"{what}  {terminal.paint(seconds(time.monotonic() - began), 'dim')}")

    drawing = threading.Thread(target=draw, daemon=True)
    drawing.start()
    try:
        yield
    finally:
        is_over.set()
        drawing.join()
        terminal.draw("")
