"""Lock files of poetry, PDM and Pipenv, read as requirements that uv installs.

The project's own dependencies become requirements, and everything the lock pins becomes a constraint with its
hashes: uv then resolves to exactly the locked versions and checks every file it downloads.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from underway.manifest.build import PythonBuild

_ANY = Mapping[str, Any]
_PYPI = re.compile(r"https?://(pypi\.org|pypi\.python\.org|files\.pythonhosted\.org)(/|$)")


def pip_files(python: PythonBuild, is_there: Callable[[str], bool]) -> tuple[str, ...]:
    """The files that pip installs: those named, else requirements.txt; none where only `extra` names packages."""
    if python.requirements or not python.extra or is_there("requirements.txt"):
        return python.requirements or ("requirements.txt",)
    return ()


class Unreadable(Exception):
    """The lock or the project file is not what its name says."""


@dataclass(frozen=True)
class Locked:
    """Lines for uv's requirement and constraint files. `is_closed` when the requirements name everything."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    is_closed: bool = False


def toml(text: str, name: str) -> _ANY:
    """The table in `text`. Raises `Unreadable`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"{name} is no TOML: {error}") from None


def table(of: _ANY, *path: str) -> _ANY:
    """The table at `path`, empty when there is none."""
    for step in path:
        inner = of.get(step)
        if not isinstance(inner, Mapping):
            return {}
        of = inner
    return of


def poetry(project: str, lock: str, groups: Sequence[str]) -> Locked:
    """Read `pyproject.toml` and `poetry.lock`: the main dependencies, and `groups` (or extras) besides.

    Without a lock (empty) the versions are what the project accepts.
    """
    pyproject, locked = toml(project, "pyproject.toml"), toml(lock, "poetry.lock")
    own = table(pyproject, "tool", "poetry")
    wanted = list(_strings(table(pyproject, "project").get("dependencies")))
    declared = {**table(own, "dependencies")}
    for group in groups:
        declared |= table(own, "group", group, "dependencies")
        wanted += _strings(table(pyproject, "project", "optional-dependencies").get(group))
        wanted += _strings(table(pyproject, "dependency-groups").get(group))
    optional = {_same(name) for group in groups for name in _strings(table(own, "extras").get(group))}
    for name, spec in declared.items():
        if name.lower() != "python":
            wanted += _poetry_requirements(name, spec, _same(name) in optional, is_locked=bool(lock))
    older = table(locked, "metadata", "files")  # where poetry before 1.3 kept the hashes
    packages = [{**p, "files": p.get("files") or older.get(str(p.get("name")))} for p in _packages(locked)]
    indexes = [s["url"] for s in _tables(own.get("source")) if isinstance(s.get("url"), str)]
    return Locked(
        requirements=tuple(_unpinned(wanted, packages)) if lock else tuple(_one_line(each) for each in wanted),
        constraints=tuple(_constraints(packages, "markers")),
        indexes=tuple(_foreign(indexes)),
    )


def pdm(project: str, lock: str, groups: Sequence[str]) -> Locked:
    """Read `pyproject.toml` and `pdm.lock`."""
    pyproject, locked = toml(project, "pyproject.toml"), toml(lock, "pdm.lock")
    wanted = list(_strings(table(pyproject, "project").get("dependencies")))
    for group in groups:
        wanted += _strings(table(pyproject, "project", "optional-dependencies").get(group))
        wanted += _strings(table(pyproject, "dependency-groups").get(group))
        wanted += _strings(table(pyproject, "tool", "pdm", "dev-dependencies").get(group))
    packages = list(_packages(locked))
    indexes = [
        s["url"] for s in _tables(table(pyproject, "tool", "pdm").get("source")) if isinstance(s.get("url"), str)
    ]
    return Locked(
        requirements=tuple(_unpinned(wanted, packages)),
        constraints=tuple(_constraints(packages, "marker")),
        indexes=tuple(_foreign(indexes)),
    )


def pipenv(lock: str, groups: Sequence[str]) -> Locked:
    """Read `Pipfile.lock`, which names everything: nothing is left to resolve."""
    try:
        locked = json.loads(lock)
    except ValueError as error:
        raise Unreadable(f"Pipfile.lock is no JSON: {error}") from None
    if not isinstance(locked, Mapping):
        raise Unreadable("Pipfile.lock is no JSON object")
    lines = []
    for section in ("default", *("develop" if group == "dev" else group for group in groups)):
        for name, spec in table(locked, section).items():
            if isinstance(spec, Mapping):
                lines.append(_pipenv_line(name, spec))
    indexes = [s["url"] for s in _tables(table(locked, "_meta").get("sources")) if isinstance(s.get("url"), str)]
    return Locked(requirements=tuple(lines), indexes=tuple(_foreign(indexes)), is_closed=True)


def pipfile(project: str, groups: Sequence[str]) -> Locked:
    """Read a `Pipfile` that has no lock."""
    declared = toml(project, "Pipfile")
    lines = []
    for section in ("packages", *("dev-packages" if group == "dev" else group for group in groups)):
        for name, spec in table(declared, section).items():
            how = {"version": spec} if isinstance(spec, str) else spec
            if isinstance(how, Mapping):
                lines.append(_pipenv_line(name, how))
    indexes = [s["url"] for s in _tables(declared.get("source")) if isinstance(s.get("url"), str)]
    return Locked(requirements=tuple(lines), indexes=tuple(_foreign(indexes)))


def _pipenv_line(name: str, spec: _ANY) -> str:
    extras = ",".join(_strings(spec.get("extras")))
    named = f"{name}[{extras}]" if extras else name
    if isinstance(spec.get("git"), str):
        line = f"{named} @ git+{spec['git']}" + (f"@{spec['ref']}" if spec.get("ref") else "")
    elif isinstance(spec.get("path"), str):
        line = f"-e {spec['path']}" if spec.get("editable") else str(spec["path"])
    elif isinstance(spec.get("file"), str):
        line = f"{named} @ {spec['file']}"
    else:
        version = spec.get("version")
        line = named + (version if isinstance(version, str) and version != "*" else "")
        if isinstance(spec.get("markers"), str):
            line += f" ; {spec['markers']}"
        line += "".join(f" --hash={digest}" for digest in _strings(spec.get("hashes")))
    return _one_line(line)


def _poetry_requirements(name: str, spec: object, is_wanted: bool, *, is_locked: bool = True) -> Iterator[str]:
    if isinstance(spec, list):
        for each in spec:
            yield from _poetry_requirements(name, each, is_wanted, is_locked=is_locked)
        return
    if not isinstance(spec, Mapping):
        yield name if is_locked else f"{name}{_pep440(spec)}"
        return
    if spec.get("optional") and not is_wanted:
        return
    extras = ",".join(_strings(spec.get("extras")))
    named = f"{name}[{extras}]" if extras else name
    if isinstance(spec.get("path"), str):
        yield _one_line(f"-e {spec['path']}" if spec.get("develop") else f"./{spec['path']}")
        return
    marker = f" ; {spec['markers']}" if isinstance(spec.get("markers"), str) else ""
    if not is_locked:
        address = f"git+{spec['git']}" if isinstance(spec.get("git"), str) else spec.get("url")
        revision = next((f"@{spec[key]}" for key in ("rev", "tag", "branch") if isinstance(spec.get(key), str)), "")
        named += f" @ {address}{revision}" if isinstance(address, str) else _pep440(spec.get("version"))
    elif isinstance(spec.get("git"), str) or isinstance(spec.get("url"), str):
        named += " @ lock"
    yield _one_line(named + marker)


def _pep440(stated: object) -> str:
    """A constraint of poetry's as PEP 440 writes it (python-poetry.org/docs/dependency-specification)."""
    if not isinstance(stated, str) or "|" in stated:
        return ""
    clauses = [_clause(part.strip()) for part in stated.split(",")]
    return ",".join(clause for clause in clauses if clause)


def _clause(text: str) -> str:
    found = re.fullmatch(r"(\^|~(?!=))?\s*(\d+(?:\.\d+)*)([\w.+*-]*)", text)
    if not found:
        return "" if text in ("", "*") else re.sub(r"^=(?!=)", "==", text.replace(" ", ""))
    sign, numbers, rest = found[1], [int(n) for n in found[2].split(".")], found[3]
    if not sign:
        return f"=={text}"
    if sign == "~":
        kept = min(len(numbers), 2)
    else:  # a caret keeps what is left of the first number that is not zero
        kept = next((at + 1 for at, number in enumerate(numbers) if number), len(numbers))
    above = [*numbers[: kept - 1], numbers[kept - 1] + 1]
    return f">={found[2]}{rest},<{'.'.join(map(str, above))}"


def _unpinned(wanted: Sequence[str], packages: Sequence[_ANY]) -> Iterator[str]:
    """Requirements by name, extras and marker (versions are the lock's); git and URL ones by the lock's URL."""
    urls = {_same(str(p.get("name"))): url for p in packages if (url := _url(p))}
    for requirement in wanted:
        match = re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?(.*)", requirement, re.DOTALL)
        if match is None or requirement.startswith(("-e ", "./", "../")):
            yield _one_line(requirement)
            continue
        name, extras, rest = str(match[1]), str(match[2] or ""), str(match[3])
        marker = rest.partition(";")[2].strip() if "@" not in rest else rest.partition(" ;")[2].strip()
        line = f"{name}{extras} @ {urls[_same(name)]}" if _same(name) in urls else f"{name}{extras}"
        if _same(name) not in urls and rest.lstrip().startswith("@"):
            line = f"{name}{extras} {rest.partition(' ;')[0].strip()}"
        yield _one_line(f"{line} ; {marker}" if marker else line)


def _constraints(packages: Sequence[_ANY], marker_key: str) -> Iterator[str]:
    counts: dict[str, int] = {}
    packages = [package for package in packages if not isinstance(package.get("extras"), list)]  # PDM's repetitions
    for package in packages:
        if isinstance(package.get("name"), str):
            same = _same(str(package.get("name")))
            counts[same] = counts.get(same, 0) + 1
    for package in packages:
        name, version = package.get("name"), package.get("version")
        if not isinstance(name, str) or not isinstance(version, str):
            continue
        if _url(package) or table(package, "source").get("type") in ("directory", "file") or package.get("path"):
            continue
        marker = package.get(marker_key)
        if counts[_same(name)] > 1 and not isinstance(marker, str):
            continue  # several versions and no word on which applies here: the resolver chooses
        line = f"{name}=={version}"
        if counts[_same(name)] > 1:
            line += f" ; {marker}"
        files = _tables(package.get("files"))
        line += "".join(f" --hash={f['hash']}" for f in files if isinstance(f.get("hash"), str))
        yield _one_line(line)


def _url(package: _ANY) -> str:
    """Where a package that comes from git or an URL comes from, empty for one from an index."""
    source = table(package, "source")
    if source.get("type") == "git":
        return _git_url(source, source.get("url"), source.get("resolved_reference") or source.get("reference"))
    if source.get("type") == "url":
        return str(source.get("url"))
    if isinstance(package.get("git"), str):
        return _git_url(package, package["git"], package.get("revision") or package.get("ref"))
    return str(package["url"]) if isinstance(package.get("url"), str) else ""


def _git_url(of: _ANY, url: object, revision: object) -> str:
    inner = of.get("subdirectory")
    return f"git+{url}@{revision}" + (f"#subdirectory={inner}" if isinstance(inner, str) else "")


def _packages(locked: _ANY) -> Iterator[_ANY]:
    return _tables(locked.get("package"))


def _tables(value: object) -> Iterator[_ANY]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else iter(())


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _foreign(urls: Sequence[str]) -> Iterator[str]:
    return (url for url in dict.fromkeys(urls) if not _PYPI.match(url) and re.fullmatch(r"https?://[^\s$]+", url))


def _same(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _one_line(text: str) -> str:
    """A lock's text may not smuggle a second line (an option) into a requirement file."""
    return " ".join(text.split())
