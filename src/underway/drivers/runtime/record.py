"""What the runtime keeps of an instance on disk, so that a later agent can take it over."""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path
from typing import Literal

import msgspec

from underway.drivers.proc import Identity
from underway.drivers.vault.keys import Keys
from underway.drivers.whole_file import write_whole
from underway.terms.environment import Environ
from underway.terms.process import InstanceSpec

_LOG = logging.getLogger(__name__)
_FILE = "instance.json"


class _Sealed(msgspec.Struct):
    env: dict[str, str]
    hidden: tuple[str, ...]


class Record(msgspec.Struct, kw_only=True):
    """One instance, 0600 in a 0700 folder, removed when the instance is stopped. It holds the environment, which a
    restart needs, closed up with the home's key (`sealed`); `env` is what former versions kept in the clear.

    Written with a fresh `spawn` before the leader is started and with its pid after it. A leader whose
    environment carries `spawn` is therefore known at any moment in between. `log_from` is the byte of the log at
    which the instance began to write, negative when that part was rotated out.
    """

    spec: InstanceSpec
    env: dict[str, str] = {}
    sealed: str = ""
    wanted: Literal["running", "stopped"] = "running"
    spawn: str = ""
    pid: int = 0
    start_ticks: int = 0
    boot_id: str = ""
    started_at: float = 0.0
    restarts: int = 0
    short_lives: int = 0
    is_crash_loop: bool = False
    exit_code: int | None = None
    log_from: int = 0
    groups: tuple[str, ...] = ()

    def seal(self, environ: Environ, keys: Keys) -> None:
        """Keep the environment. Raises `Failure` (`vault.key`)."""
        text = msgspec.json.encode(_Sealed(env=dict(environ), hidden=tuple(sorted(environ.hidden))))
        self.sealed, self.env = keys.close_up(text), {}

    def environ(self, keys: Keys) -> Environ:
        """The environment that was kept. Raises `Failure` (`vault.key`) or `ValueError`."""
        if not self.sealed:
            return Environ(self.env, self.env)
        kept = msgspec.json.decode(keys.open_up(self.sealed), type=_Sealed)
        return Environ(kept.env, kept.hidden)

    @property
    def leader(self) -> Identity | None:
        return Identity(self.pid, self.start_ticks) if self.pid else None


def write(folder: Path, record: Record) -> None:
    """Replace the record in one step; on disk before this returns. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / _FILE, msgspec.json.encode(record).decode())


def read_all(instances: Path) -> dict[str, Record]:
    """Every readable record by instance id. One that cannot be read is logged and counts as none."""
    found: dict[str, Record] = {}
    with contextlib.suppress(FileNotFoundError):
        for folder in sorted(instances.iterdir()):
            try:
                record = msgspec.json.decode((folder / _FILE).read_bytes(), type=Record)
            except (OSError, msgspec.MsgspecError) as error:
                _LOG.warning("no record of an instance in %s: %s", folder, error)
                continue
            if record.spec.id == folder.name:
                found[folder.name] = record
    return found


def remove(folder: Path) -> None:
    """Forget the instance. Removing what is not there is fine."""
    shutil.rmtree(folder, ignore_errors=True)
