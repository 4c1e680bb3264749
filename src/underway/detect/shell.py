"""Shell lines of Procfiles, Dockerfiles and scripts, taken apart into simple commands. Nothing is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from underway.detect.index import Index, join
from underway.detect.model import Evidence

_LONGEST = 8000


@dataclass(frozen=True)
class Simple:
    """One simple command: its words, the variables set before it, where it stands, and its folder."""

    words: tuple[str, ...]
    evidence: Evidence
    folder: str = ""
    env: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.words[0].rpartition("/")[2] if self.words else ""


def simple_commands(line: str, evidence: Evidence, index: Index, folder: str = "", depth: int = 0) -> list[Simple]:
    """The simple commands of a shell line, with scripts of the tree opened.

    `folder` is where it runs. Wrappers (`poetry run`, `exec`, `sh -c`) are taken off.
    """
    out: list[Simple] = []
    here = folder
    for part in _parts(line[:_LONGEST]):
        words, env = _without_wrappers(part)
        if not words:
            continue
        if words[0] == "cd" and len(words) > 1:
            here = join(here, words[1])
            continue
        name = words[0].rpartition("/")[2]
        if name in ("sh", "bash", "dash", "ash") and len(words) > 1:
            flags = [w for w in words[1:] if w.startswith("-")]
            rest = [w for w in words[1:] if not w.startswith("-")]
            if rest and any("c" in f for f in flags):
                out += simple_commands(rest[0], evidence, index, here, depth + 1) if depth < 4 else []
                continue
            words = rest
        script = _script(words[0], index, here) if words else ""
        if script:
            for number, text in enumerate(_joined(index.text(script)) if depth < 4 else (), 1):
                if re.match(r"\s*(exec\s+)?(?:[\w-]+\s+)*\"?\$[@*]\"?\s*$", text) and len(words) > 1:
                    out += simple_commands(shlex.join(words[1:]), evidence, index, here, depth + 1)
                else:
                    out += simple_commands(text, Evidence(script, number), index, here, depth + 1)
                if len(out) > 200:
                    return out
            continue
        if words:
            out.append(Simple(tuple(words), evidence, here, env))
    return out


def _joined(text: str) -> list[str]:
    """Lines of a script; a continued line stays on the line it began."""
    lines = text.split("\n")[:400]
    out: list[str] = []
    waiting, filler = "", 0
    for each in lines:
        if waiting:
            filler += 1
        joined = waiting + each.rstrip("\r")
        if joined.endswith("\\"):
            waiting = joined[:-1] + " "
            continue
        out.append("" if joined.lstrip().startswith("#") else joined)
        out += [""] * filler
        waiting, filler = "", 0
    return [*out, waiting] if waiting else out


def _script(word: str, index: Index, folder: str) -> str:
    """The script of the tree that a word names, wherever a container would have put it."""
    if not re.search(r"\.(sh|bash)$|(^|/)(start|entrypoint|docker-entrypoint|run)$", word):
        return ""
    direct = join(folder, word)
    if index.has(direct):
        return direct
    found = index.named(word.rpartition("/")[2])
    near = [p for p in found if not folder or p.startswith(f"{folder}/")]
    choice = near or found
    return choice[0] if choice else ""


def _parts(line: str) -> list[list[str]]:
    """Words of each simple command; a list separated by &&, ;, || or |."""
    lexer = shlex.shlex(line.replace("\n", " ; "), posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    parts: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word and set(word) <= set(";&|"):
                parts.append([])
            else:
                parts[-1].append(word)
    except ValueError:
        return [line.split()]
    return [part for part in parts if part]


_RUNNERS = {"poetry", "pipenv", "pdm", "hatch", "rye", "uv", "newrelic-admin", "ddtrace-run", "doppler", "infisical"}
_MODULES = ("uvicorn", "gunicorn", "hypercorn", "granian", "alembic", "flask", "celery", "streamlit")
_WITH_VALUE = {"--group", "--extra", "--with", "--package", "--env-file", "--python", "-p", "--directory", "--project"}


def _without_wrappers(words: list[str]) -> tuple[list[str], dict[str, str]]:
    env: dict[str, str] = {}
    words = list(words)
    for _ in range(8):
        while words and (set_one := re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", words[0], re.DOTALL)):
            env[set_one[1]] = set_one[2]
            words = words[1:]
        if not words:
            return [], env
        first = words[0].rpartition("/")[2]
        if first in ("exec", "env", "nohup", "dumb-init", "tini", "then", "else", "do", "time", "gosu", "su-exec"):
            words = words[2:] if first in ("gosu", "su-exec") else words[1:]
            while words and words[0] in ("--", "-g", "-s"):
                words = words[1:]
            continue
        if first in _RUNNERS and "run" in words[1:3]:
            words = words[words.index("run") + 1 :]
            while words and words[0].startswith("-"):
                words = words[2:] if words[0] in _WITH_VALUE else words[1:]
            continue
        is_module = re.fullmatch(r"python[0-9.]*", first) and len(words) > 2 and words[1] == "-m"
        if is_module and words[2] in _MODULES:
            words = words[2:]
            continue
        break
    return words, env


_PLAIN = re.compile(r"(?:[\w@%+=:,./-]|\$\w+|\$\{\w+(?::?[-=?+][\w@%+=:,./-]*)?\})+")


def line_of(words: Iterable[str]) -> str:
    """Words as one line for a shell: it fills in their variables (`$PORT`), and all else stands for itself."""
    return " ".join(word if _PLAIN.fullmatch(word) else shlex.quote(word) for word in words)


def option(words: tuple[str, ...], *names: str) -> str:
    """The value of an option of a command line, empty when it is not given."""
    for n, word in enumerate(words):
        for name in names:
            if word == name and n + 1 < len(words):
                return words[n + 1]
            if name.startswith("--") and word.startswith(name + "="):
                return word[len(name) + 1 :]
            if len(name) == 2 and word.startswith(name) and len(word) > 2 and not word.startswith("--"):
                return word[2:].removeprefix("=")
    return ""
