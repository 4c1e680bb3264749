"""The agent under systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from underway.cli.render.terminal import Terminal
from underway.terms.home import Home
from underway.terms.outcome import Outcome
from underway.terms.problem import Problem, Refusal

_UNIT = """\
[Unit]
Description=Underway agent ({root})
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={python} -m underway agent run
Environment=UNDERWAY_HOME={root}
Environment=UNDERWAY_HTTP_PORT={port}
Environment=UNDERWAY_AGENT={id}
Restart=always
RestartSec=1
# Apps, proxy and databases outlive the agent, so that it can be upgraded without stopping them.
KillMode=process
UMask=0077

[Install]
WantedBy={wanted_by}
"""


def unit_text(home: Home, python: str, *, is_root: bool) -> str:
    """The unit file of this home's agent."""
    wanted_by = "multi-user.target" if is_root else "default.target"
    return _UNIT.format(root=home.root, port=home.http_port, id=home.id, python=python, wanted_by=wanted_by)


def install_unit(home: Home, *, is_asking: bool) -> int:
    """Write, enable and start the unit. Raises `Refusal` (`systemd.absent`, `systemd.failed`)."""
    terminal = Terminal()
    if not Path("/run/systemd/system").is_dir():  # sd_booted(3)
        raise Refusal([_absent()])
    is_root = os.geteuid() == 0
    folder = Path("/etc/systemd/system") if is_root else Path("~/.config/systemd/user").expanduser()
    unit = folder / f"underway-{home.id}.service"
    if is_asking and sys.stdin.isatty() and not click.confirm(f"Write {unit} and start it?", default=True):
        return Outcome.REFUSED.exit_code
    folder.mkdir(parents=True, exist_ok=True)
    unit.write_text(unit_text(home, sys.executable, is_root=is_root), encoding="utf-8")
    control = [shutil.which("systemctl") or "systemctl", *([] if is_root else ["--user"])]
    for words in (["daemon-reload"], ["enable", "--now", unit.name]):
        done = subprocess.run([*control, *words], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise Refusal([_failed(unit, done.stderr.strip())])
    terminal.line(f"{terminal.mark('done')} {unit} is enabled and started.")
    if not is_root:
        terminal.line("  So that it starts before you log in: loginctl enable-linger")
    return 0


def _absent() -> Problem:
    return Problem(
        code="systemd.absent",
        where="/run/systemd/system",
        why="systemd does not run this machine (it is not process 1)",
        remedy="let the init system you have run this command at boot; the agent also starts by itself with the next"
        " command that needs it",
        command=f"{sys.executable} -m underway agent run",
    )


def _failed(unit: Path, why: str) -> Problem:
    return Problem(
        code="systemd.failed",
        where=str(unit),
        why=f"systemctl refused: {why[:300]}",
        remedy="the unit file is written; mend what it says and enable it by hand",
        command=f"systemctl enable --now {unit.name}",
    )
