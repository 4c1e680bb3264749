"""Where this home is, and the making of its folders. Light: the command line imports it at every start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from underway.terms.home import Home
from underway.terms.problem import Problem, Refusal

DEFAULT_HTTP_PORT = 8080
_HTTPS_PORTS = {80: 443, DEFAULT_HTTP_PORT: 8443}


def find_home(environ: Mapping[str, str]) -> Home:
    """The home that `UNDERWAY_HOME` and `UNDERWAY_HTTP_PORT` name, else the platform's data folder.

    Raises `Refusal` (`home.port`).
    """
    root = Path(environ.get("UNDERWAY_HOME") or _default_root(environ)).expanduser().absolute()
    port = _port(environ, "UNDERWAY_HTTP_PORT", _kept_port(root) or DEFAULT_HTTP_PORT)
    short_run = Path(environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108 - see Home.run
    https = _port(environ, "UNDERWAY_HTTPS_PORT", _HTTPS_PORTS.get(port, port + 1))
    return Home(root=root, http_port=port, https_port=https, short_run=short_run)


def _kept_port(root: Path) -> int:
    """The port this home was last served on, 0 for none: an agent started without UNDERWAY_HTTP_PORT keeps it."""
    try:
        text = (root / "http-port").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return 0
    return int(text) if text.isdigit() and 0 < int(text) < 65_536 else 0


def make_home(home: Home) -> None:
    """Make the home's folders, 0700 where sockets or secrets live. Raises `Refusal` (`home.unwritable`)."""
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        for folder in (home.run, home.instances):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid != os.geteuid():
                raise PermissionError(f"{folder} belongs to another user")
            folder.chmod(0o700)
        for folder in (home.proxy, home.services, home.cache):
            folder.mkdir(parents=True, exist_ok=True)
        (home.root / "http-port").write_text(f"{home.http_port}\n", encoding="ascii")
    except OSError as error:
        raise Refusal(
            [
                Problem(
                    code="home.unwritable",
                    where=str(home.root),
                    why=f"the home cannot be made: {error.strerror or error}",
                    remedy="choose a folder that you can write with UNDERWAY_HOME",
                    command="UNDERWAY_HOME=~/underway underway status",
                )
            ]
        ) from error


def _default_root(environ: Mapping[str, str]) -> str:
    if os.geteuid() == 0:
        return "/var/lib/underway"
    return str(Path(environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "underway")


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if text.isascii() and text.isdigit() and 0 < int(text) < 65_536:
        return int(text)
    raise Refusal(
        [
            Problem(
                code="home.port",
                where=f"{name}={text[:20]!r}",
                why="a port is a number from 1 to 65535",
                remedy="set it to a free port",
                command=f"export {name}={default}",
            )
        ]
    )
