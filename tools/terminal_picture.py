"""Runs a command in a terminal and keeps what it shows as an SVG picture. What is seen is what was printed.

`python -m tools.terminal_picture docs/images/demo.svg -- ./underway demo`

Needs tmux. The picture has every line the command left in the terminal, colours included; the caption is the command.
"""

from __future__ import annotations

import argparse
import io
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.terminal_theme import TerminalTheme

COLUMNS, LINES = 100, 50
MOST_S = 600.0
_THEME = TerminalTheme(
    (22, 24, 29),
    (222, 224, 230),
    [
        (22, 24, 29),
        (240, 110, 110),
        (110, 200, 130),
        (230, 190, 100),
        (110, 170, 250),
        (200, 140, 230),
        (100, 200, 210),
        (222, 224, 230),
    ],
)
_FONT = "font-family: ui-monospace, Menlo, Consolas, monospace;"


def captured(command: list[str], columns: int = COLUMNS) -> tuple[str, int]:
    """What the command left in a terminal of its own, as ANSI text, and its exit code. Raises `TimeoutError`."""
    with tempfile.TemporaryDirectory() as folder:
        tmux = ["tmux", "-L", f"picture-{Path(folder).name}", "-f", "/dev/null"]
        line = f"TERM=xterm-256color {shlex.join(command)}; echo $? >{folder}/code; sleep {MOST_S}"
        size = ("-x", str(columns), "-y", str(LINES))
        kept = ("set", "-g", "history-limit", "10000", ";")
        subprocess.run([*tmux, "-u", "start-server", ";", *kept, "new-session", "-d", *size, line], check=True)
        try:
            code = Path(folder) / "code"
            deadline = time.monotonic() + MOST_S
            while not (code.exists() and code.read_text().strip()):
                if time.monotonic() > deadline:
                    raise TimeoutError(shlex.join(command))
                time.sleep(0.2)
            pane = [*tmux, "capture-pane", "-e", "-p", "-S", "-"]
            shown = subprocess.run(pane, check=True, capture_output=True, text=True).stdout
            return shown.rstrip() + "\n", int(code.read_text())
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)


def picture(shown: str, caption: str, columns: int = COLUMNS) -> str:
    """The text as SVG, with fonts of the reader's machine and nothing loaded from elsewhere."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in AnsiDecoder().decode(shown.rstrip("\n")):  # one decoder: tmux leaves a style on into the next line
        console.print(line, overflow="crop", no_wrap=True)
    svg = console.export_svg(title=caption, theme=_THEME)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(
        r"font-family: (Fira Code|arial)[^;]*;", "font-family: ui-monospace, Menlo, Consolas, monospace;", svg
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    shown, code = captured(asked.command, asked.columns)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(picture(shown, shlex.join(asked.command), asked.columns), encoding="utf-8")
    print(f"{asked.out}: exit code {code}")
    return code


if __name__ == "__main__":
    sys.exit(main())
