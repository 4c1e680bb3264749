"""Which Python: what the project accepts, what its own files use, what this machine has."""

from __future__ import annotations

import re
from datetime import date

from underway.detect.index import Index, join
from underway.detect.model import Evidence, Machine, Notes
from underway.detect.python_project import PythonProject
from underway.detect.starts import Starts


def choose_python(index: Index, starts: Starts, project: PythonProject, machine: Machine, notes: Notes) -> str:
    """The major.minor to build with; empty when nothing decides. Notes a problem when this machine has none."""
    allowed = [v for v in machine.pythons if _accepts(project.requires, v)]
    named = _named(index, starts, project)
    if named is None and (ended := _ended(index, project)) is not None:
        package, last, at = ended
        older = [v for v in allowed if int(v.partition(".")[2]) <= last]
        if older and older != allowed:
            best = _nearest(older, f"3.{last}")
            notes.claim("python", f"Python {best}: {package} is for none after 3.{last}", at, "build.python.version")
            return best
    of_django = _span_of_django(index, project)
    if of_django is not None and machine.pythons:
        release, lowest, highest, at = of_django
        fitting = [v for v in allowed if lowest <= int(v.partition(".")[2]) <= highest]
        if not fitting and not any(int(v.partition(".")[2]) <= highest for v in machine.pythons):
            notes.problem(
                "detect.python-missing",
                at,
                f"Django {release} runs on Python 3.{lowest} to 3.{highest}, and this machine has "
                f"{', '.join(machine.pythons)}",
                f"install Python 3.{highest}, or move the project to a Django that is still maintained",
                _install(f"3.{highest}"),
            )
            return ""
        if fitting and (named is None or named[0] not in allowed):
            best = _nearest(fitting, f"3.{highest}")
            notes.claim("python", f"Python {best}: Django {release} runs on none after 3.{highest}", at,
                        "build.python.version")  # fmt: skip
            return best if best != allowed[0] else ""
    if named is not None and (named[0] in allowed or not machine.pythons) and _accepts(project.requires, named[0]):
        notes.claim("python", f"Python {named[0]}", named[1], "build.python.version")
        return named[0]
    if not machine.pythons:
        return ""
    if not allowed:
        notes.problem(
            "detect.python-missing",
            project.requires_evidence or project.evidence,
            f"the project needs Python {project.requires}, and this machine has {', '.join(machine.pythons)}",
            "install such an interpreter",
            _install(_wanted(project.requires) or (named[0] if named else "")),
        )
        return ""
    best = _nearest(allowed, named[0] if named else "")
    if named is None and (of_its_day := _of_the_day(index.tree.day, allowed)) and _is_of_its_day(project):
        notes.claim("python", f"Python {of_its_day}: the newest when the commit was made, on {index.tree.day}",
                    key="build.python.version")  # fmt: skip
        return of_its_day
    if named is not None:
        why = f"{named[0]} is not on this machine and the project accepts it"
        if named[0] in machine.pythons:
            why = f"{named[0]} is named here, and the project asks for {project.requires}"
        notes.claim("python", f"Python {best}: {why}", named[1], "build.python.version")
        return best
    if project.requires and project.requires_evidence is not None:
        notes.claim("python", f"Python {best} satisfies {project.requires}", project.requires_evidence)
    return ""


def _nearest(allowed: list[str], wanted: str) -> str:
    """The version closest to the wanted one, newer before older; the newest without one."""
    numbers = sorted(int(v.partition(".")[2]) for v in allowed)
    if not wanted:
        return f"3.{numbers[-1]}"
    aim = int(wanted.partition(".")[2])
    return f"3.{min(numbers, key=lambda n: (abs(n - aim), n < aim))}"


_RELEASED = {
    8: "2019-10-14", 9: "2020-10-05", 10: "2021-10-04", 11: "2022-10-24", 12: "2023-10-02", 13: "2024-10-07",
    14: "2025-10-07",
}  # fmt: skip
"""When each Python 3 was released (devguide.python.org/versions)."""
_HALF_A_YEAR_DAYS = 180
"""How long it takes until most packages have wheels for a new Python."""


def _of_the_day(day: str, allowed: list[str]) -> str:
    """The newest allowed Python that packages of `day` were made for; empty when that is today's newest, or unknown.

    Requirements without a version of Python are of the one their author had: later ones have no wheels for them, or
    lack modules they import.
    """
    try:
        made = date.fromisoformat(day)
    except ValueError:
        return ""
    known = [
        v
        for v in allowed
        if (at := _RELEASED.get(int(v.partition(".")[2]))) and (made - date.fromisoformat(at)).days >= _HALF_A_YEAR_DAYS
    ]
    oldest = min(allowed, key=lambda v: int(v.partition(".")[2]))
    best = max(known, key=lambda v: int(v.partition(".")[2]), default=oldest)
    newest = max(allowed, key=lambda v: int(v.partition(".")[2]))
    return "" if best == newest else best


_DJANGO_RUNS_ON = {
    (1, 8): (2, 5), (1, 9): (4, 5), (1, 10): (4, 5), (1, 11): (4, 7), (2, 0): (4, 7), (2, 1): (5, 7), (2, 2): (5, 9),
    (3, 0): (6, 9), (3, 1): (6, 9), (3, 2): (6, 10), (4, 0): (8, 10), (4, 1): (8, 11), (4, 2): (8, 12),
    (5, 0): (10, 12), (5, 1): (10, 13), (5, 2): (10, 14),
}  # fmt: skip
"""First and last Python 3 of each Django (docs.djangoproject.com/en/stable/faq/install)."""


_ENDED = {"backports-zoneinfo": 8, "typed-ast": 11, "pickle5": 7, "dataclasses": 6, "contextvars": 6}
"""Backports, and the last Python 3 each is built for: `pip freeze` has it only where the author's was no newer."""


def _ended(index: Index, project: PythonProject) -> tuple[str, int, Evidence] | None:
    """The pinned backport for the oldest Python, unless a marker says for which it is asked."""
    found = []
    for name, last in _ENDED.items():
        at = project.names.get(name)
        line = index.text(at.path).split("\n")[at.line - 1] if at is not None and at.line else ""
        if name in project.pins and ";" not in line:
            found.append((last, f"{name} {project.pins[name]}", project.where(name)))
    last, package, where = min(found, key=lambda each: each[0], default=(0, "", project.evidence))
    return (package, last, where) if package else None


def _is_of_its_day(project: PythonProject) -> bool:
    """True when most packages are asked for in exact versions, and no lock says which wheels there are."""
    return project.manager in ("pip", "setuptools") and 2 * len(project.pins) >= len(project.names) > 0


_LOCKED_DJANGO = re.compile(r'^name = "[Dd]jango"\nversion = "([\d.]+)"', re.MULTILINE)


def _span_of_django(index: Index, project: PythonProject) -> tuple[str, int, int, Evidence] | None:
    """The release of Django that is pinned or locked, the Pythons 3 it runs on, and where that is said."""
    release, at = project.pins.get("django", ""), project.where("django")
    if not release and (lock := project.locked.get("django")) is not None:
        said = _LOCKED_DJANGO.search(index.text(lock.path))
        release, at = (said[1], lock) if said else ("", at)
    found = re.match(r"(\d+)\.(\d+)", release)
    span = _DJANGO_RUNS_ON.get((int(found[1]), int(found[2]))) if found else None
    return (release, *span, at) if span else None


def _named(index: Index, starts: Starts, project: PythonProject) -> tuple[str, Evidence] | None:
    """What .python-version, runtime.txt, the Dockerfile or CI uses, as major.minor."""
    for folder in dict.fromkeys((project.folder, "")):
        for name in (".python-version", "runtime.txt", ".tool-versions"):
            path = join(folder, name)
            found = re.search(r"(?:^|python[- ])[ \t]*3\.(\d{1,2})", index.text(path)[:2000], re.MULTILINE)
            if found:
                return f"3.{found[1]}", Evidence.at(path, index.text(path), found.start())
    for docker in starts.dockerfiles:
        for image, line in reversed(docker.images):
            found = re.search(r"python[^:]*:(?:[a-z]*-?)3\.(\d{1,2})|python3\.(\d{1,2})", image)
            if found:
                return f"3.{found[1] or found[2]}", Evidence(docker.path, line)
    for path in [p for p in index.paths if p.startswith(".github/workflows/")][:10]:
        found = re.search(r"python-version:\s*[\[\"']*3\.(\d{1,2})", index.text(path))
        if found:
            return f"3.{found[1]}", Evidence.at(path, index.text(path), found.start())
    return None


_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|~=|\^|~|>|<|)\s*3(?:\.(\d{1,2}|\*))?(?:\.(\d{1,2}|\*))?\s*")


def _accepts(requires: str, version: str) -> bool:
    """True when major.minor `version` can satisfy the constraint (PEP 440, and poetry's ^ and ~)."""
    minor = int(version.partition(".")[2] or 0)
    for alternative in re.split(r"\|\|?", requires):
        if all(_clause(clause, minor) for clause in alternative.split(",")):
            return True
    return False


def _clause(clause: str, minor: int) -> bool:
    found = _CLAUSE.fullmatch(clause)
    if found is None:
        return True  # a constraint that is not understood does not decide
    sign, given, patch = found[1], found[2], found[3]
    if given is None or given == "*":
        return sign not in ("<",)
    number = int(given)
    exact_patch = patch is not None and patch != "*"
    match sign:
        case ">=" | "^":
            return minor >= number
        case ">":
            return minor >= number if exact_patch else minor > number
        case "<":
            return minor <= number if exact_patch and patch != "0" else minor < number
        case "<=":
            return minor <= number
        case "!=":
            return minor != number if patch == "*" or patch is None else True
        case "~=":
            return minor == number if patch is not None else minor >= number
        case _:
            return minor == number


_OLDEST_OF_UV = 8
"""The oldest Python 3 that uv has builds of (uv python list --all-versions)."""


def _install(version: str) -> str:
    """The command that installs a Python where detection finds it."""
    is_old = bool(version) and int(version.partition(".")[2]) < _OLDEST_OF_UV
    return f"pyenv install {version}" if is_old else f"uv python install {version}".strip()


def _wanted(requires: str) -> str:
    found = re.search(r"3\.(\d{1,2})", requires)
    return f"3.{found[1]}" if found else ""
