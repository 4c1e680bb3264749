"""Variables that the scripts an app is started by read: `entrypoint.sh`, the lines of Dockerfiles, Procfiles, compose
and `package.json`, and the templates that `envsubst` fills in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from underway.detect.dockerfile import commands, read_dockerfile
from underway.detect.index import Index, folder_of, join
from underway.detect.model import Evidence
from underway.detect.python_code import EnvRead
from underway.detect.yamlish import read_yaml

_NAME = r"[A-Z][A-Z0-9_]{1,80}"
_OF_THE_SHELL = re.compile(
    r"BASH\w*|E?UID|GROUPS|HOME|HOSTNAME|HOSTTYPE|IFS|LANG|LINENO|LOGNAME|MACHTYPE|OLDPWD|OPTARG|OPTERR|OPTIND|OSTYPE|PATH|"
    r"PIPESTATUS|PPID|PS\d|PWD|RANDOM|REPLY|SECONDS|SHELL|SHELLOPTS|SHLVL|TERM|USER|COLUMNS|LINES|FUNCNAME|COMP_\w+"
)
_READ = re.compile(
    rf"\$(?:\{{[!#]?({_NAME})(?:\[[^\]\n]{{0,20}}\])?(:?[-=?+])?([^}}\n]{{0,200}})|({_NAME})\b)|-v\s+({_NAME})\b"
)
"""`${{X:-1}}`, `$X`, `[[ -v X ]]`."""
_SET = re.compile(
    rf"(?m)(?:^|[;&|(){{]|\bthen\b|\bdo\b|\belse\b)[ \t]*"
    rf"(?:(?:export|local|declare|readonly|typeset)[ \t]+(?:-\w+[ \t]+){{0,3}})?"
    rf"({_NAME})\+?=([^\n;]{{0,300}})|"
    rf"\b(?:for|select)[ \t]+({_NAME})[ \t]+in\b|\bread[ \t]+(?:-\w+[ \t]+){{0,4}}({_NAME})\b|"
    rf"\bgetopts[ \t]+\S+[ \t]+({_NAME})\b"
)
_COMMENT = re.compile(r"(?m)(?:^|(?<=[ \t;]))#[^\n]*$")
_HEREDOC = re.compile(r"<<-?[ \t]*(['\"\\])(\w{1,40})\1?[^\n]*\n(?:(?![ \t]*\2\b)[^\n]*\n){0,400}")
"""Text that the shell does not fill in."""
_QUOTED = re.compile(r"'[^'\n]*'|\"(?:[^\"\\]|\\.)*\"|\\.", re.DOTALL)
_FILE_ENV = re.compile(rf"(?m)^[ \t]*(?:file_env|get_secret|load_secret)[ \t]+['\"]?({_NAME})\b")
"""The function of Docker's official images: `X`, or the file that `X_FILE` names (docker-library/postgres)."""
_SUBST = re.compile(r"\benvsubst\b([^\n|;&]{0,500})")
_WORD = re.compile(r"[\w./${}-]{1,200}")
_OF_SERVICES = re.compile(r"postgres|pgvector|postgis|mysql|mariadb|redis|valkey|mongo|rabbitmq|elasticsearch")
"""Images and folders of what stands beside the app."""
_OF_OTHERS = re.compile(r"\.{1,2}|wait-for(?:-it)?(?:\.sh)?|wait-for-\w+\.sh|tini|gosu|dumb-init")
"""Scripts that everybody copies."""
_MOST_SCRIPTS = 40
_LONGEST = 200_000


@dataclass
class _Seen:
    """What was opened so far. `given` are names that a script sets for what it starts."""

    scripts: list[str] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    templates: list[str] = field(default_factory=list)
    copied: dict[str, str] = field(default_factory=dict)
    """By the path in an image, the file of the tree that is put there."""


def shell_reads(index: Index) -> Iterator[EnvRead]:
    """Reads in every line that starts the app, and in the scripts of the tree that those lines name."""
    seen = _Seen()
    for path, number, line in _starts(index, seen):
        yield from _reads(path, line, set(), number - 1)
        yield from _follow(index, line, folder_of(path) if path.endswith("package.json") else "", seen, 0)
    for path in dict.fromkeys(seen.templates):
        yield from _template(path, index.text(path), seen.given)


def _starts(index: Index, seen: _Seen) -> Iterator[tuple[str, int, str]]:
    """The lines that start the app, with their place."""
    for path in index.matching(r"dockerfile([.-][\w.-]+)?|[\w-]+\.dockerfile|containerfile")[:12]:
        text = index.text(path)
        docker = read_dockerfile(path, text)
        if docker.images and _OF_SERVICES.search(docker.images[-1][0]):
            continue
        for source, target in docker.copies:
            named = [each for each in index.named(source.rpartition("/")[2]) if _is_shell(each, index.text(each))]
            if named and (place := _place(named, source, "")):
                seen.copied[target] = place
        for source, target in docker.copies:
            if "/nginx/templates" in target:
                inside = join("", source).rstrip("/*")
                seen.templates += [p for p in index.paths if p.startswith(inside) and p.endswith(".template")][:20]
        for command, line in commands(text):
            yield path, line, command
    for path in index.matching(r"(?:[\w.-]*[_-])?entrypoint(?:\.(?:ba)?sh)?")[:12]:
        if not _OF_SERVICES.search(path):
            yield path, 1, f"exec {path}"
    for path in index.named("Procfile")[:4]:
        for number, process in enumerate(index.text(path).split("\n")[:200], 1):
            if not process.lstrip().startswith("#"):
                yield path, number, process.partition(":")[2]
    for path in index.matching(r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml")[:12]:
        for service in list(read_yaml(index.text(path)).at("services").entries.values())[:60]:
            if not service.at("build").is_there and service.at("image").is_there:
                continue
            for key in ("entrypoint", "command"):
                said = service.at(key)
                words = [said.text, *(item.text for item in said.items)]
                yield (
                    path,
                    said.line,
                    re.sub(r"\$\$", "$", " ".join(word for word in words if "$$" in word or ".sh" in word)),
                )
    for path in index.named("package.json")[:40]:
        try:
            body = json.loads(index.text(path) or "{}")
        except (ValueError, RecursionError):
            continue
        scripts = body.get("scripts") if isinstance(body, dict) else None
        for name, script in scripts.items() if isinstance(scripts, dict) else ():
            if isinstance(script, str) and not re.match(r"(?:pre|post)?(?:test|lint|e2e|format|typecheck)", str(name)):
                yield path, index.line(path, f'"{name}"').line, script


def _follow(index: Index, text: str, folder: str, seen: _Seen, depth: int) -> Iterator[EnvRead]:
    """Reads in the scripts that a text names, and in those that these name."""
    whole = [
        source for target, source in seen.copied.items() if target in text and _is_shell(source, index.text(source))
    ]
    for path in [*whole, *_named(index, text, folder)]:
        if path in seen.scripts or len(seen.scripts) >= _MOST_SCRIPTS:
            continue
        seen.scripts.append(path)
        plain = _plain(index.text(path)[:_LONGEST])
        seen.templates += _substituted(index, plain)
        yield from _reads(path, plain, seen.given)
        text = index.text(path)[:_LONGEST]
        for found in _FILE_ENV.finditer(text) if "_FILE" in text else ():
            for name in (found[1], f"{found[1]}_FILE"):
                yield EnvRead(name, Evidence.at(path, text, found.start(1)), is_required=False)
        seen.given |= {
            name for found in _SET.finditer(plain) if (name := _set_name(found)) and not _is_own(found, name)
        }
        if depth < 3:
            yield from _follow(index, plain, folder_of(path), seen, depth + 1)


def _named(index: Index, text: str, folder: str) -> Iterator[str]:
    """Shell scripts of the tree whose names stand in a text, wherever an image would have put them."""
    for word in dict.fromkeys(_WORD.findall(text)):
        name = word.rpartition("/")[2]
        if not name or _OF_OTHERS.fullmatch(name) or not (name.endswith((".sh", ".bash")) or "." not in name):
            continue
        found = [path for path in index.named(name) if name == path.rpartition("/")[2]]
        if not found or (
            not name.endswith((".sh", ".bash")) and "/" not in word and not _is_plainly_started(text, word)
        ):
            continue
        best = _place(found, re.sub(r"\$\{?\w+\}?", "", word), folder)
        if best and _is_shell(best, index.text(best)):
            yield best


def _place(found: list[str], word: str, folder: str) -> str:
    """Which of the scripts of that name a word means: next to where it runs, or by as many folders as agree."""
    if (direct := join(folder, word)) in found:
        return direct
    steps = [step for step in word.split("/") if step not in ("", ".", "..")]
    for first in range(len(steps) - 1):
        tail = "/".join(steps[first:])
        if same := [path for path in found if f"/{path}".endswith(f"/{tail}")]:
            return same[0]
    return found[0] if len(found) == 1 or word.startswith("/") or "/" not in word else ""


def _is_plainly_started(text: str, word: str) -> bool:
    return text.split()[:1] == [word] or bool(
        re.search(rf"\b(?:exec|sh|bash|source|\.)[ \t]+{re.escape(word)}\b", text)
    )


def _is_shell(path: str, text: str) -> bool:
    first = text[:120].partition("\n")[0]
    if first.startswith("#!"):
        return bool(re.search(r"\b(?:ba|da|a|k|z)?sh\b|with-contenv", first))
    return path.endswith((".sh", ".bash"))


def _plain(text: str) -> str:
    """A script without its comments and without what stands in single quotes; every line stays where it is."""

    def left(found: re.Match[str]) -> str:
        return "\n" * found[0].count("\n") if found[0][0] in "'<\\" else found[0]

    without = _HEREDOC.sub(left, text)
    lines = [_COMMENT.sub("", line) if "#" in line else line for line in without.split("\n")]
    return _QUOTED.sub(left, "\n".join(lines))


def _set_name(found: re.Match[str]) -> str:
    return next((found[group] for group in (1, 3, 4, 5) if found[group]), "")


def _is_own(found: re.Match[str], name: str) -> bool:
    """True for `X="${X:-1}"`, which reads what it sets."""
    return bool(found[2] and re.search(rf"\$\{{?{name}\b", found[2]))


def _reads(path: str, text: str, given: set[str], above: int = 0) -> Iterator[EnvRead]:
    """Names that a script reads before it sets them."""
    first: dict[str, int] = {}
    for found in _SET.finditer(text):
        name = _set_name(found)
        if not _is_own(found, name):
            first.setdefault(name, found.start())
    for found in _READ.finditer(text):
        name = found[1] or found[4] or found[5]
        if name in given or _OF_THE_SHELL.fullmatch(name) or found.start() > first.get(name, len(text)):
            continue
        if text[max(0, found.start() - 1) : found.start()] in ("\\", "$"):
            continue
        how, rest = found[2] or "", found[3] or ""
        default = rest.strip("\"'") if how in (":-", "-", ":=", "=") and "$" not in rest else None
        at = Evidence.at(path, text, found.start(), above=above)
        yield EnvRead(name, at, is_required=how.endswith("?"), default=default)


def _substituted(index: Index, text: str) -> list[str]:
    """The templates that a script gives to envsubst."""
    out: list[str] = []
    for found in _SUBST.finditer(text):
        for word in _WORD.findall(found[1]):
            name = word.rpartition("/")[2]
            if re.search(r"\.(?:template|tmpl|tpl|conf|in|dist|json|js|ya?ml|toml|ini|html)$", name):
                out += index.named(name)[:2]
    return out


def _template(path: str, text: str, given: set[str]) -> Iterator[EnvRead]:
    for found in re.finditer(rf"\$\{{({_NAME})\}}", re.sub(r"(?m)^[ \t]*#.*$", "", text[:_LONGEST])):
        if found[1] not in given:
            at = Evidence.at(path, text, found.start())
            yield EnvRead(found[1], at, is_required=False)
