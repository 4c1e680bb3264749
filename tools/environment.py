"""Makes this clone's environment (.venv) with nothing but Python and git on the machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
NEEDED = (3, 11)


def ensure(*, dev: bool) -> Path:
    """Return the environment's bin folder; make or refresh it when the lock changed. Exits with a remedy."""
    python = _python()
    dev = dev or (VENV / ".made-dev").exists()  # a refresh must not take away what the tests need
    stamp = VENV / f".made-{'dev' if dev else 'run'}"
    wanted = _wanted()
    enough = {stamp, VENV / ".made-dev"}  # what runs the tests runs the program too
    if (VENV / "bin" / "underway").exists() and any(s.exists() and s.read_text() == wanted for s in enough):
        return VENV / "bin"
    print("Making the environment in .venv (once) …", file=sys.stderr, flush=True)
    uv = shutil.which("uv") or _own_uv(python)
    command = [uv, "sync", "--frozen", "--quiet", "--python", python, *([] if dev else ["--no-dev"])]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": str(VENV)}
    if "PIP_INDEX_URL" in os.environ:
        environment.setdefault("UV_DEFAULT_INDEX", os.environ["PIP_INDEX_URL"])
    environment.pop("VIRTUAL_ENV", None)
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        raise _give_up("The packages of uv.lock could not be installed; the lines above say why.")
    for old in VENV.glob(".made-*"):
        old.unlink()
    stamp.write_text(wanted)
    return VENV / "bin"


def _wanted() -> str:
    digest = hashlib.sha256()
    for name in ("uv.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _python() -> str:
    """This interpreter when it is new enough, else the newest one on PATH that runs."""
    if sys.version_info >= NEEDED:
        return sys.executable
    for minor in range(14, NEEDED[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
            return found
    raise _give_up(
        f"Underway needs Python 3.{NEEDED[1]} or newer; this is {sys.version.split()[0]} and PATH has no newer one."
    )


def _own_uv(python: str) -> str:
    """uv, installed into a small environment of its own."""
    tools = ROOT / ".venv-uv"
    uv = tools / "bin" / "uv"
    if uv.exists():
        return str(uv)
    if subprocess.run([python, "-m", "venv", str(tools)], capture_output=True, check=False).returncode:
        _install_venv()
        if subprocess.run([python, "-m", "venv", "--clear", str(tools)], check=False).returncode:
            raise _give_up("python3 -m venv does not work here. On Debian and Ubuntu: apt-get install python3-venv")
    if subprocess.run([str(tools / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv"], check=False).returncode:
        raise _give_up("uv could not be installed with pip; the lines above say why.")
    return str(uv)


def _install_venv() -> None:
    """Debian splits venv from Python; put it back where that is ours to do."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing python3-venv …", file=sys.stderr, flush=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update"], check=False, **quiet)
        subprocess.run(["apt-get", "install", "-y", "python3-venv"], check=False, **quiet)


def _give_up(why: str) -> SystemExit:
    """The end of the program, with its reason on stderr."""
    print(f"✗ {why}", file=sys.stderr)
    return SystemExit(1)
