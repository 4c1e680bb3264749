"""The Python interpreters of this machine, found by running them."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from underway.drivers.builds.version import Version, accepts, parsed

OLDEST: Version = (3, 8)
"""What uv can make an environment for."""

_PROBE = (
    "import sys,sysconfig as c;v=sys.version_info;"
    "print(*v[:3],v[3],int(bool(c.get_config_var('Py_GIL_DISABLED'))),sys.implementation.name,"
    "getattr(sys,'_base_executable',None) or sys.executable,sep='\\n')"
)
_NAME = re.compile(r"python3(\.\d+)?")
_PROBE_TIMEOUT_S = 10.0


class Interpreter(msgspec.Struct, frozen=True, order=True):
    """A CPython that runs: `version` is (major, minor, patch), `path` its real file."""

    version: tuple[int, int, int]
    path: str

    @property
    def says(self) -> str:
        return ".".join(map(str, self.version))


class _Probed(msgspec.Struct, frozen=True):
    mtime_ns: int
    size: int
    found: Interpreter | None


def available_pythons(cache: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Versions of the interpreters found, newest first, such as `("3.13.0", "3.11.7")`, without repeats.

    `cache` is the home's cache folder. The first call runs every candidate; later ones only look at their times.
    """
    return tuple(dict.fromkeys(found.says for found in interpreters(cache, environ)))


def interpreters(cache: Path, environ: Mapping[str, str]) -> tuple[Interpreter, ...]:
    """Every CPython from 3.8 on that could be run, newest first, one per version.

    Looked for on PATH and where pyenv, uv, asdf, mise and /opt keep theirs. Shims are passed over (they may
    exist and not run), and pre-releases and builds without a GIL are not taken.
    """
    memory = cache / "interpreters.json"
    known = _load(memory)
    seen: dict[str, _Probed] = {}
    missing: list[tuple[str, os.stat_result]] = []
    for path in sorted(set(_candidates(cache, environ))):
        try:
            status = os.stat(path)
        except OSError:
            continue
        probed = known.get(path)
        if probed is not None and (probed.mtime_ns, probed.size) == (status.st_mtime_ns, status.st_size):
            seen[path] = probed
        else:
            missing.append((path, status))
    if missing:
        with ThreadPoolExecutor(max_workers=4) as workers:
            for (path, status), found in zip(missing, workers.map(_probe, (p for p, _ in missing)), strict=True):
                seen[path] = _Probed(status.st_mtime_ns, status.st_size, found)
    if seen != known:
        _save(memory, seen)
    by_version = {probed.found.version: probed.found for probed in seen.values() if probed.found}
    return tuple(sorted(by_version.values(), reverse=True))


def fitting(found: tuple[Interpreter, ...], constraint: str, version: str) -> list[Interpreter]:
    """Those of `found` that satisfy both, the newest of each minor, newest first. `version` is major.minor or empty."""
    minor = parsed(version)[:2]
    by_minor: dict[tuple[int, ...], Interpreter] = {}
    for interpreter in found:
        if interpreter.version[: len(minor)] == minor and accepts(constraint, interpreter.version):
            by_minor.setdefault(interpreter.version[:2], interpreter)
    return list(by_minor.values())


def _candidates(cache: Path, environ: Mapping[str, str]) -> Iterator[str]:
    home = Path(environ.get("HOME") or "/nonexistent")
    folders = [Path(folder) for folder in environ.get("PATH", "").split(":") if folder.startswith("/")]
    folders += [Path("/usr/local/bin"), Path("/usr/bin")]
    kept = [
        (Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions", "*/bin"),
        (Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python"), "*/bin"),
        (cache / "python", "*/bin"),
        (home / ".asdf/installs/python", "*/bin"),
        (home / ".local/share/mise/installs/python", "*/bin"),
        (Path("/opt"), "python*/bin"),
    ]
    for parent, pattern in kept:
        try:
            folders += parent.glob(pattern)
        except OSError:
            continue
    for folder in folders:
        if folder.name == "shims":
            continue
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        yield from (os.path.realpath(folder / name) for name in names if _NAME.fullmatch(name))
    yield os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def _probe(path: str) -> Interpreter | None:
    try:
        ended = subprocess.run(
            [path, "-I", "-S", "-c", _PROBE],
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
        )
        major, minor, patch, level, without_gil, implementation, executable = ended.stdout.splitlines()
        version = (int(major), int(minor), int(patch))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if level != "final" or without_gil == "1" or implementation != "cpython" or version < OLDEST:
        return None
    return Interpreter(version=version, path=os.path.realpath(executable))


def _load(memory: Path) -> dict[str, _Probed]:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, _Probed])
    except (OSError, msgspec.MsgspecError):
        return {}


def _save(memory: Path, seen: dict[str, _Probed]) -> None:
    aside = memory.with_suffix(f".{os.getpid()}.new")
    try:
        memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside.write_bytes(msgspec.json.encode(seen))
        aside.replace(memory)
    except OSError:
        aside.unlink(missing_ok=True)


def tool_version(path: str, *args: str) -> str:
    """The first line of `path --version` (or of `args`), empty when it does not run. Asked once per file."""
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return _tool_version(path, status.st_mtime_ns, args or ("--version",))


@functools.lru_cache(maxsize=64)
def _tool_version(path: str, mtime_ns: int, args: tuple[str, ...]) -> str:
    try:
        ended = subprocess.run(
            [path, *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return next(iter(ended.stdout.splitlines()), "").strip()
