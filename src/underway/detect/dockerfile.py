"""A Dockerfile's last stage: what it starts, where, on what, and how it asks whether it is well."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field, replace

from underway.detect.model import Evidence
from underway.detect.shell import line_of


@dataclass
class Dockerfile:
    """`command` is ENTRYPOINT and CMD as one shell line; `images` are the FROM images of all stages."""

    path: str
    command: str = ""
    entry: str = ""
    command_line: int = 0
    workdir: str = ""
    env: dict[str, str] = field(default_factory=dict)
    healthcheck: str = ""
    healthcheck_line: int = 0
    images: list[tuple[str, int]] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    runs: list[tuple[str, int]] = field(default_factory=list)
    volumes: list[tuple[str, int]] = field(default_factory=list)

    def evidence(self) -> Evidence:
        return Evidence(self.path, self.command_line)


_FOR_DEVELOPERS = re.compile(r"dev|test|lint|debug|local|ci\b|storybook|docs", re.IGNORECASE)
_FOR_PRODUCTION = re.compile(r"prod|release|deploy|final|serve|runtime|runner", re.IGNORECASE)


@dataclass
class _Stage:
    """What one `FROM` begins. One that goes on from a stage of the same file has all that this one says."""

    name: str = ""
    workdir: str = ""
    env: dict[str, str] = field(default_factory=dict)
    entry: str = ""
    entry_line: int = 0
    command: str = ""
    command_line: int = 0
    healthcheck: str = ""
    healthcheck_line: int = 0

    @property
    def is_for_developers(self) -> bool:
        return bool(_FOR_DEVELOPERS.search(self.name)) and not _FOR_PRODUCTION.search(self.name)


def read_dockerfile(path: str, text: str, target: str = "") -> Dockerfile:
    """Read what a Dockerfile says of its stage `target`, else of its last one that is not for developers alone.

    What is not understood is passed over (docs.docker.com/reference/dockerfile).
    """
    out = Dockerfile(path)
    stages = [_Stage()]
    args: dict[str, str] = {}
    for line, word, rest in _instructions(text):
        stage = stages[-1]
        if word == "FROM":
            words = re.sub(r"--\S+\s+", "", rest).split()
            if words:
                image = _filled(words[0], args)
                before = next((s for s in reversed(stages) if s.name and s.name == image.lower()), None)
                if before is None:
                    out.images.append((image, line))
                name = words[2].lower() if len(words) > 2 and words[1].upper() == "AS" else ""
                stages.append(replace(before, name=name, env=dict(before.env)) if before else _Stage(name))
        elif word == "ARG" and "=" in rest:
            name, _, value = rest.partition("=")
            args[name.strip()] = value.strip().strip("\"'")
        elif word == "WORKDIR":
            to = _filled(rest.strip().strip("\"'"), {**args, **stage.env})
            stage.workdir = to if to.startswith("/") else f"{stage.workdir.rstrip('/')}/{to}"
        elif word == "ENV":
            stage.env.update(_env(rest))
        elif word == "CMD":
            stage.command, stage.command_line = _line(rest), line
        elif word == "ENTRYPOINT":  # it forgets the CMD of the image it goes on from
            stage.entry, stage.entry_line, stage.command, stage.command_line = _line(rest), line, "", 0
        elif word == "HEALTHCHECK" and "NONE" not in rest.split()[:1]:
            found = re.search(r"\bCMD\b(.*)", rest, re.DOTALL)
            stage.healthcheck, stage.healthcheck_line = (_line(found[1].strip()) if found else ""), line
        elif word in ("COPY", "ADD"):
            words = [w for w in rest.split() if not w.startswith("--")]
            if len(words) == 2 and not rest.startswith("["):
                out.copies.append((words[0], words[1]))
        elif word == "VOLUME":
            out.volumes += [(v, line) for v in re.findall(r"[\w./$-]+", rest)]
        elif word == "RUN" and not stage.is_for_developers:
            out.runs.append((rest, line))
    last = _chosen(stages, target)
    out.workdir, out.env = last.workdir, last.env
    out.healthcheck, out.healthcheck_line = last.healthcheck, last.healthcheck_line
    out.entry, out.command = last.entry, f"{last.entry} {last.command}".strip()
    out.command_line = last.command_line or last.entry_line
    return out


def _chosen(stages: list[_Stage], target: str) -> _Stage:
    named = next((s for s in stages if target and s.name == target.lower()), None)
    if named is not None and not named.is_for_developers:
        return named
    if stages[-1].is_for_developers:
        starting = [s for s in stages if (s.command or s.entry) and not s.is_for_developers]
        return starting[-1] if starting else stages[-1]
    return stages[-1]


def commands(text: str) -> list[tuple[str, int]]:
    """What any stage starts or asks at a health check, as shell lines with the line of the file: a stage may go on from
    another one of its own."""
    out: list[tuple[str, int]] = []
    for line, word, rest in _instructions(text):
        if word in ("CMD", "ENTRYPOINT"):
            out.append((_line(rest), line))
        elif word == "HEALTHCHECK" and (found := re.search(r"\bCMD\b(.*)", rest, re.DOTALL)):
            out.append((_line(found[1].strip()), line))
    return out


def _instructions(text: str) -> list[tuple[int, str, str]]:
    out: list[tuple[int, str, str]] = []
    waiting, began = "", 0
    for number, raw in enumerate(text.split("\n")[:3000], 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        began = began if waiting else number
        if line.endswith("\\"):
            waiting += line[:-1] + " "
            continue
        whole = waiting + line
        waiting = ""
        word, _, rest = whole.partition(" ")
        if word.isalpha():
            out.append((began, word.upper(), rest.strip()))
    return out


def _line(rest: str) -> str:
    """A CMD in either form, as one shell line."""
    if rest.lstrip().startswith("["):
        try:
            words = json.loads(rest)
        except ValueError:
            return rest
        if isinstance(words, list) and all(isinstance(w, str) for w in words):
            if len(words) > 2 and words[0].rpartition("/")[2] in ("sh", "bash") and words[1] in ("-c", "-lc"):
                return str(words[2])
            return line_of(words)
    return rest


def _filled(text: str, values: dict[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        return values.get(found[1] or found[3], found[2] or "")

    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)", one, text)


def _env(rest: str) -> dict[str, str]:
    if "=" not in rest.split(" ")[0]:
        name, _, value = rest.partition(" ")
        return {name: value.strip()}
    try:
        words = shlex.split(rest)
    except ValueError:
        words = rest.split()
    return {name: value for name, found, value in (w.partition("=") for w in words) if found}
