"""A folder with Python dependencies: what installs them, which they are, which interpreter they want."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from underway.detect.index import Index, folder_of, join
from underway.detect.model import Evidence
from underway.detect.pip_lines import pip_lines

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_INCLUDE = re.compile(r"\s*(?:-r|--requirement)[\s=]+(\S+)")


@dataclass
class PythonProject:
    """`names` are the installed packages (normalised as PEP 503 says), each with where it is named.

    `direct` are those the project asks for itself. `requires` is the interpreter constraint.
    """

    folder: str
    manager: str
    evidence: Evidence
    requirements: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    names: dict[str, Evidence] = field(default_factory=dict)
    requires: str = ""
    requires_evidence: Evidence | None = None
    title: str = ""
    is_locked: bool = True
    pins: dict[str, str] = field(default_factory=dict)
    """Exact versions by package, where the project's own files name them."""
    locked: dict[str, Evidence] = field(default_factory=dict)
    """Every package of the lock, those that others bring too."""
    extra: tuple[str, ...] = ()
    """Requirements that are in none of its files and have to be installed besides."""
    is_guessed: bool = False
    """True when they are only what the sources import; `unknown` are imported modules of nobody knows which package."""
    unknown: dict[str, Evidence] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        return any(name in self.names for name in names)

    def brings(self, *names: str) -> bool:
        """True when one of these is installed, asked for or brought by another package."""
        return any(name in self.names or name in self.locked for name in names)

    def where(self, *names: str) -> Evidence:
        everywhere = {**self.locked, **self.names}
        return next((everywhere[n] for n in names if n in everywhere), self.evidence)


def normal(name: str) -> str:
    """A package name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_python_projects(index: Index) -> list[PythonProject]:
    """Every folder with Python dependencies, nearest to the root first."""
    markers = index.named("pyproject.toml", "Pipfile", "setup.py", "setup.cfg", "uv.lock", "poetry.lock", "pdm.lock")
    markers += index.matching(r"requirements?[\w.-]*\.(txt|in)")
    markers += [p for p in index.ending(".txt") if folder_of(p).rpartition("/")[2] == "requirements"]
    folders: list[str] = []
    for path in markers[:300]:
        folder = folder_of(path)
        if folder.rpartition("/")[2] in ("requirements", "reqs", "deps"):
            folder = folder_of(folder)
        if folder not in folders:
            folders.append(folder)
    found = [_project(index, folder) for folder in sorted(folders, key=lambda f: (f.count("/") + bool(f), f))[:40]]
    return [each for each in found if each is not None]


def _project(index: Index, folder: str) -> PythonProject | None:

    def at(name: str) -> str:
        return join(folder, name)

    raw = toml(index.text(at("pyproject.toml")))
    poetry = _table(raw, "tool", "poetry")
    made: PythonProject | None = None
    lock = _lock_above(index, folder, "uv.lock")
    if lock and raw:
        made = PythonProject(folder, "uv", index.line(at("pyproject.toml"), "[project]"))
    elif index.has(at("poetry.lock")) or (poetry and "dependencies" in poetry and not _requirements(index, folder)):
        made = PythonProject(
            folder, "poetry", Evidence(at("poetry.lock" if index.has(at("poetry.lock")) else "pyproject.toml"))
        )
        made.is_locked = index.has(at("poetry.lock"))
    elif index.has(at("pdm.lock")):
        made = PythonProject(folder, "pdm", Evidence(at("pdm.lock")))
    elif index.has(at("Pipfile.lock")) or (index.has(at("Pipfile")) and not _requirements(index, folder)):
        made = PythonProject(folder, "pipenv", Evidence(at("Pipfile")))
        made.is_locked = index.has(at("Pipfile.lock"))
    elif files := _requirements(index, folder):
        made = PythonProject(folder, "pip", Evidence(files[0]), requirements=tuple(files))
    elif "project" in raw or index.has(at("setup.py")) or index.has(at("setup.cfg")):
        marker = next(n for n in ("pyproject.toml", "setup.py", "setup.cfg") if index.has(at(n)))
        made = PythonProject(folder, "setuptools", Evidence(at(marker)), is_locked=False)
    if made is None:
        return None
    _name_packages(index, made, raw)
    _name_locked(index, made)
    project = _table(raw, "project")
    requires = project.get("requires-python") or _table(poetry, "dependencies").get("python") or ""
    if isinstance(requires, str) and requires:
        made.requires = requires
        made.requires_evidence = index.line(at("pyproject.toml"), requires)
    elif (pipfile := _table(toml(index.text(at("Pipfile"))), "requires")) and made.manager == "pipenv":
        version = str(pipfile.get("python_version") or pipfile.get("python_full_version") or "")
        made.requires = f"=={version}.*" if version.count(".") == 1 else ""
        made.requires_evidence = index.line(at("Pipfile"), "python_version")
    title = project.get("name") or poetry.get("name") or ""
    made.title = title if isinstance(title, str) else ""
    return made


def _lock_above(index: Index, folder: str, name: str) -> str:
    """The lock of this folder, or of a workspace above it."""
    while True:
        if index.has(join(folder, name)):
            return join(folder, name)
        if not folder:
            return ""
        folder = folder_of(folder)


_PREFERRED = ("requirements.txt", "requirements/production.txt", "requirements/prod.txt", "requirements/base.txt")


def _requirements(index: Index, folder: str) -> list[str]:
    """The file that a Dockerfile installs; else that for production where there is a choice, else requirements.txt."""
    if installed := _installed_by_docker(index, folder):
        return installed
    for name in (
        "requirements/production.txt",
        "requirements/prod.txt",
        "requirements-prod.txt",
        "requirements-production.txt",
        "requirements_prod.txt",
        "requirements.txt",
        "requirements/requirements.txt",
        "requirements/main.txt",
        "requirements/base.txt",
        "requirements/common.txt",
        "requirements.in",
        "requirement.txt",
    ):
        if index.has(path := join(folder, name)):
            whole = join(folder, "requirements.txt")
            if path != whole and len(_required(index, whole)) > 3 * len(_required(index, path)):
                return [whole]  # what `pip freeze` wrote, beside the files of a template that nobody filled in
            return [*_before(index, path), _with_postgres(index, path)]
    return _by_another_name(index, folder)


def _by_another_name(index: Index, folder: str) -> list[str]:
    """The only list of requirements there is, under whatever name: the latest by name, those for tests last."""
    beside = [p for p in index.matching(r"requirements?[\w.-]*\.(txt|in)") if folder_of(p) == folder]
    inside = [p for p in index.ending(".txt") if folder_of(p) == join(folder, "requirements")]
    named = [p for p in beside + inside if not re.search(r"test|lint|docs?\b|ci\b", p.rpartition("/")[2])]
    named.sort(key=lambda p: (not _OF_TESTS.search(p.rpartition("/")[2]), p))
    return named[-1:]


def _before(index: Index, path: str) -> list[str]:
    """The base that a list for production adds to without including it: a Dockerfile installs one after the other."""
    beside, name = path.rpartition("/")[0], path.rpartition("/")[2]
    if name not in ("production.txt", "prod.txt") or re.search(r"^[ \t]*-[rc]\b", index.text(path), re.MULTILINE):
        return []
    base = next((p for n in ("base.txt", "common.txt") if index.has(p := join(beside, n))), "")
    return [base] if base and "django" not in _required(index, path) else []


def _with_postgres(index: Index, path: str) -> str:
    """The list beside a base that includes it and adds PostgreSQL's driver, where there is one for each database."""
    if path.rpartition("/")[2] not in ("base.txt", "common.txt", "main.txt"):
        return path
    for name in ("postgres.txt", "postgresql.txt", "psql.txt"):
        other = join(folder_of(path), name)
        if re.search(rf"^-r[ \t]+(\./)?{re.escape(path.rpartition('/')[2])}\b", index.text(other), re.MULTILINE):
            return other
    return path


def _required(index: Index, file: str) -> set[str]:
    """The packages that a file of requirements names, with those of the files that it includes."""
    found = PythonProject("", "pip", Evidence(file))
    _name_required(index, found, file, 0)
    return set(found.names)


_OF_TESTS = re.compile(r"dev|test|local|lint|docs|ci\b")


def _installed_by_docker(index: Index, folder: str) -> list[str]:
    """What `pip install -r` in a Dockerfile of this folder, or of the root, takes from this folder."""
    for docker in [p for p in index.matching(r"(?:[\w-]+\.)?Dockerfile(?:\.[\w-]+)?") if folder_of(p) in (folder, "")]:
        if _OF_TESTS.search(docker.rpartition("/")[2].lower()):
            continue
        found: list[str] = []
        text = index.text(docker)
        copied = re.findall(r"^(?:COPY|ADD)\s.*", text, re.MULTILINE)
        for call in pip_lines(text):
            for named in call.files:
                parts = [part for part in named.split("/") if part not in ("", ".")]
                ends = ["/".join(parts[at:]) for at in range(len(parts))]
                ends += [w for words in copied for w in words.split() if w.endswith("/" + parts[-1])] if parts else []
                ends += (
                    [w[-2] for words in copied if (w := words.split())[-1].rpartition("/")[2] == parts[-1:][0]]
                    if parts
                    else []
                )
                path = next((join(folder, end) for end in ends if index.has(join(folder, end))), "")
                if path and not _OF_TESTS.search(named):
                    found.append(path)
        if found:
            return list(dict.fromkeys(found))
    return []


def _name_packages(index: Index, project: PythonProject, raw: dict[str, Any]) -> None:
    path = join(project.folder, "pyproject.toml")
    for line in _strings(_table(raw, "project").get("dependencies")):
        _add(project, line, index, path)
    poetry = _table(raw, "tool", "poetry")
    for name, how in _table(poetry, "dependencies").items():
        if not (isinstance(how, dict) and how.get("optional")):
            extras = _strings(how.get("extras")) if isinstance(how, dict) else []
            _add(project, f"{name}[{','.join(extras)}]" if extras else name, index, path)
    if project.manager == "uv":
        for line in _strings(_table(raw, "dependency-groups").get("prod")):
            project.groups = ("prod",)
            _add(project, line, index, path)
    if project.manager == "pipenv":
        pipfile = join(project.folder, "Pipfile")
        for name in _table(toml(index.text(pipfile)), "packages"):
            _add(project, name, index, pipfile)
    for file in project.requirements:
        _name_required(index, project, file, 0)
    if project.manager == "setuptools":
        for name in ("setup.py", "setup.cfg"):
            text = index.text(join(project.folder, name))[:50_000]
            found = re.search(r"install_requires\s*=\s*\[?([^\]]*?)(\]|\n\n|\n\[)", text, re.DOTALL)
            for line in re.split(r"[\n,]", found[1]) if found else []:
                _add(project, line.strip().strip("\"'"), index, join(project.folder, name))


_LOCKED = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock"}


def _name_locked(index: Index, project: PythonProject) -> None:
    """Packages of the lock. One of a workspace holds those of every project in it, and says nothing of one."""
    name = _LOCKED.get(project.manager)
    path = join(project.folder, name) if name else ""
    if not name or not index.has(path):
        return
    for number, line in enumerate(index.text(path).split("\n"), 1):
        if line.startswith('name = "'):
            project.locked.setdefault(normal(line[8:].rstrip().rstrip('"')), Evidence(path, number))


def _name_required(index: Index, project: PythonProject, file: str, depth: int) -> None:
    for number, line in enumerate(index.text(file).split("\n")[:5000], 1):
        include = _INCLUDE.match(line)
        if include and depth < 5:
            _name_required(index, project, join(folder_of(file), include[1]), depth + 1)
        elif not line.lstrip().startswith(("#", "-")):
            add_package(project, line, Evidence(file, number))


def _add(project: PythonProject, line: str, index: Index, path: str) -> None:
    if found := _NAME.match(line):
        add_package(project, line, index.line(path, found[1]))


def add_package(project: PythonProject, line: str, where: Evidence) -> None:
    """Note that `project` has the package of a requirement line."""
    if found := _NAME.match(line):
        _extras(project, line, where)
        _pin(project, line)
        project.names.setdefault(normal(found[1]), where)


def _pin(project: PythonProject, line: str) -> None:
    found = re.match(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*===?\s*(\d[\w.]*)(?![\w.]*\*)", line)
    if found:
        project.pins.setdefault(normal(found[1]), found[2])


def _extras(project: PythonProject, line: str, where: Evidence) -> None:
    """Packages that a well-known extra brings (`fastapi[standard]` brings uvicorn)."""
    found = re.match(r"\s*([A-Za-z0-9._-]+)\s*\[([^\]]*)\]", line)
    if found:
        for extra in found[2].split(","):
            for brought in _BROUGHT.get(f"{normal(found[1])}[{extra.strip()}]", ()):
                project.names.setdefault(brought, where)


_BROUGHT = {
    "fastapi[standard]": ("uvicorn", "fastapi-cli"),
    "fastapi[all]": ("uvicorn",),
    "litestar[standard]": ("uvicorn",),
    "sqlalchemy[asyncio]": ("greenlet",),
    "sqlalchemy[postgresql-asyncpg]": ("asyncpg",),
    "tortoise-orm[asyncpg]": ("asyncpg",),
    "tortoise-orm[asyncmy]": ("asyncmy",),
    "tortoise-orm[aiomysql]": ("aiomysql",),
    "databases[aiomysql]": ("aiomysql",),
    "databases[mysql]": ("aiomysql",),
    "databases[postgresql]": ("asyncpg",),
    "databases[asyncpg]": ("asyncpg",),
    "celery[redis]": ("redis",),
    "django-environ[x]": (),
}


def toml(text: str) -> dict[str, Any]:
    """A TOML text, empty when it is none."""
    if not text or len(text) > 400_000:
        return {}
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError, OverflowError):
        return {}


def _table(raw: object, *path: str) -> dict[str, Any]:
    for key in path:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else {}


def _strings(raw: object) -> list[str]:
    return [each for each in raw if isinstance(each, str)] if isinstance(raw, list) else []
