"""Which Python: what the project accepts, what its own files use, what this machine has."""

from __future__ import annotations

import re

from underway.detect.index import Index, join
from underway.detect.model import Evidence, Machine, Notes
from underway.detect.python_project import PythonProject
from underway.detect.starts import Starts


def choose_python(index: Index, starts: Starts, project: PythonProject, machine: Machine, notes: Notes) -> str:
    """The major.minor to build with; empty when nothing decides. Notes a problem when this machine has none."""
    allowed = [v for v in machine.pythons if _accepts(project.requires, v)]
    named = _named(index, starts, project)
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
            f"uv python install {_wanted(project.requires) or (named[0] if named else '')}".strip(),
        )
        return ""
    best = _nearest(allowed, named[0] if named else "")
    if named is not None:
        notes.claim(
            "python",
            f"Python {best}: {named[0]} is not on this machine and the project accepts it",
            named[1],
            "build.python.version",
        )
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


def _named(index: Index, starts: Starts, project: PythonProject) -> tuple[str, Evidence] | None:
    """What .python-version, runtime.txt, the Dockerfile or CI uses, as major.minor."""
    for folder in dict.fromkeys((project.folder, "")):
        for name in (".python-version", "runtime.txt", ".tool-versions"):
            path = join(folder, name)
            found = re.search(r"(?:^|python[- ])[ \t]*3\.(\d{1,2})", index.text(path)[:2000], re.MULTILINE)
            if found:
                return f"3.{found[1]}", Evidence(path, index.text(path).count("\n", 0, found.start()) + 1)
    for docker in starts.dockerfiles:
        for image, line in reversed(docker.images):
            found = re.search(r"python[^:]*:(?:[a-z]*-?)3\.(\d{1,2})|python3\.(\d{1,2})", image)
            if found:
                return f"3.{found[1] or found[2]}", Evidence(docker.path, line)
    for path in [p for p in index.paths if p.startswith(".github/workflows/")][:10]:
        found = re.search(r"python-version:\s*[\[\"']*3\.(\d{1,2})", index.text(path))
        if found:
            return f"3.{found[1]}", Evidence(path, index.text(path).count("\n", 0, found.start()) + 1)
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


def _wanted(requires: str) -> str:
    found = re.search(r"3\.(\d{1,2})", requires)
    return f"3.{found[1]}" if found else ""
