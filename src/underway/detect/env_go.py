"""Environment variables that Go sources read: `os.Getenv`, tags of structs, options of command lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from underway.detect.calls import arguments
from underway.detect.index import folder_of
from underway.detect.model import Evidence
from underway.detect.python_code import EnvRead

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,100}"
_OPTION = re.compile(
    r"\bEnvVars?\s*:\s*(?:\[\]string\{([^}]{1,400})\}|\"([^\"\n]{1,400})\")"  # urfave/cli v1 and v2
    r"|\bEnvVars\(([^)\n]{1,400})\)"  # urfave/cli v3
    r"|\.(?:Envar|OverrideDefaultFromEnvar)\(([^)\n]{1,200})\)"  # kingpin
    r"|\.BindEnv\(\s*\"[^\"\n]{1,100}\"\s*,([^)\n]{1,400})\)"  # viper: the key, then names
)
_ENVCONFIG = re.compile(r"\benvconfig\.(?:Must)?Process\(\s*\"(\w{0,60})\"\s*,\s*&?(\w+)")
_QUOTED = re.compile(rf"""["`]({_NAME}(?:\s*,\s*{_NAME})*)["`]""")
_STRUCT = re.compile(r"(?m)^[ \t]*(?:type\s+)?(\w+)\s+struct\s*\{[ \t]*$")
_FIELD = re.compile(r"^[ \t]*(?:(\w+)[ \t]+)?([*\w\[\].]*?)(\w+)[ \t]*(?:`([^`]*)`)?[ \t]*(?://.*)?$")
_TAG = re.compile(r'([\w-]+):"((?:[^"\\]|\\.)*)"')
_MOST_FIELDS = 2000
_DEEPEST = 6


@dataclass(frozen=True)
class _Tags:
    """A field's name in the environment, what it puts before the names of the struct it holds, whether it must be."""

    name: str = ""
    prefix: str = ""
    is_required: bool = False
    default: str | None = None
    words: str = ""
    """What kelseyhightower/envconfig makes of the field: its name in capitals, or word by word."""


@dataclass
class _Struct:
    path: str
    fields: list[tuple[str, _Tags, int]] = field(default_factory=list)
    """The type (empty for a plain value), the tags, the line."""


def go_reads(texts: dict[str, str]) -> Iterator[EnvRead]:
    """Reads in these Go files, by path. Tags are those of caarlos0/env, cleanenv, envconfig and go-flags: a struct in
    a field with a prefix (`envPrefix`, `env-prefix`, `env-namespace`) has its names behind that prefix."""
    yield from _through_functions(texts)
    yield from _of_tables(texts)
    structs: dict[str, _Struct] = {}
    by_prefix: list[tuple[str, str]] = []
    for path, text in texts.items():
        for found in _OPTION.finditer(text):
            for quoted in _QUOTED.findall(next(group for group in found.groups() if group)):
                for name in re.split(r"\s*,\s*", quoted):
                    yield EnvRead(name, _at(path, text, found.start()), is_required=False)
            if bare := found[2]:
                for name in re.findall(_NAME, bare):
                    yield EnvRead(name, _at(path, text, found.start()), is_required=False)
        for found in _ENVCONFIG.finditer(text):
            kind = re.search(rf"\b(?:var\s+{found[2]}\s+|{found[2]}\s*:?=\s*&?|{found[2]}\s+\*?)([\w.]+)", text)
            if kind:
                by_prefix.append((found[1], f"{folder_of(path)} {kind[1]}"))
        if "struct" in text:
            structs |= {name: one for name, one in _structs(path, text).items() if one.fields or name not in structs}
    _resolve(structs)
    known = {kind_name: _found(structs, kind_name) for _, kind_name in by_prefix}
    for prefix, kind_name in by_prefix:
        if name := known[kind_name]:
            yield from _by_field(structs, structs[name], prefix.upper(), 0)
    yield from _of_structs({name: one for name, one in structs.items() if name not in known.values()})


_FUNCTION = re.compile(r"(?m)^func\s+(?:\([^)\n]*\)\s*)?(\w+)\(([^)\n]*)\)[^\n]*\{\n((?:(?!^\}).*\n){0,80})")


def _through_functions(texts: dict[str, str]) -> Iterator[EnvRead]:
    """Calls of functions that read the variable they are given the name of: `getEnv("PORT", "8080")`."""
    functions = [found for text in texts.values() if "func " in text for found in _FUNCTION.finditer(text)]
    known = {"os.Getenv": (0, frozenset({""})), "os.LookupEnv": (0, frozenset({""}))}
    constants = {found[1]: found[2] for text in texts.values() for found in _CONSTANT.finditer(text)}
    for _ in range(3):  # a function that calls one that calls one
        found_now: dict[str, tuple[int, frozenset[str]]] = {}
        for name, parameters, body in (found.groups() for found in functions):
            for position, parameter in enumerate(each.split() for each in parameters.split(",")):
                if parameter and name not in known and (ends := _ends(parameter[0], body, known)):
                    found_now.setdefault(name, (position, ends))
        if not found_now:
            break
        known |= found_now
    for path, text in texts.items():
        for call in re.finditer(r"(?<![\w.])((?:\w+\.)?(\w+))\((?=([^\n]{0,300}))", text):
            place = known.get(call[1]) or known.get(call[2])
            if place is None:
                continue
            argument = _argument(call[3], place[0]).strip()
            read = argument.strip('"') if argument.startswith('"') else constants.get(argument.rpartition(".")[2], "")
            if re.fullmatch(_NAME, read):
                for end in sorted(place[1]):
                    yield EnvRead(read + end, _at(path, text, call.start()), is_required=False)


_KEY = re.compile(r'(?m)^[ \t]*"([A-Z][A-Z0-9_]{1,100})":|\bcase\s+((?:"[A-Z][A-Z0-9_]{1,100}"(?:,\s*)?){1,10}):')


def _of_tables(texts: dict[str, str]) -> Iterator[EnvRead]:
    """Keys that all variables are looked up by: a map or a switch in the package that walks over `os.Environ()`."""
    walking = {folder_of(path) for path, text in texts.items() if re.search(r"(?:range|\()\s*os\.Environ\(\)", text)}
    for path, text in texts.items():
        if folder_of(path) in walking and not re.search(r"\bexec\.Command", text):
            for found in _KEY.finditer(text):
                for name in re.findall(r"\w+", found[1] or found[2]):
                    yield EnvRead(name, _at(path, text, found.start()), is_required=False)


_CONSTANT = re.compile(r'(?m)^[ \t]*(?:const\s+)?(\w+)\s*(?:string\s*)?=\s*"([A-Z][A-Z0-9_]{2,100})"')


def _ends(word: str, body: str, known: dict[str, tuple[int, frozenset[str]]]) -> frozenset[str]:
    """What a function puts behind the name in its parameter `word` before it reads it; none when it reads nothing."""
    ends: set[str] = set()
    for name, (at, its) in known.items():
        for call in re.finditer(rf"(?<![\w.]){re.escape(name)}\((?=([^\n]{{0,300}}))", body):
            found = re.fullmatch(rf'\s*{re.escape(word)}(?:\s*\+\s*"(\w+)")?\s*', _argument(call[1], at))
            if found:
                ends |= {(found[1] or "") + end for end in its}
    return frozenset(ends)


def _argument(text: str, at: int) -> str:
    """The argument of a call at that place, from what stands behind its bracket."""
    given, _ = arguments(text, 0)
    return given[at] if at < len(given) else ""


def _resolve(structs: dict[str, _Struct]) -> None:
    """Put the key of a struct where a field has a struct's type."""
    for one in structs.values():
        one.fields = [
            (kind if kind in structs else _found(structs, f"{folder_of(one.path)} {kind}"), tags, line)
            for kind, tags, line in one.fields
        ]


def _found(structs: dict[str, _Struct], wanted: str) -> str:
    """`folder Type` or `folder package.Type` → the key of that struct, empty for none that is known."""
    _, _, kind = wanted.rpartition(" ")
    package, _, name = kind.rpartition(".")
    if not package:
        return wanted if wanted in structs else ""
    return next((key for key in structs if re.search(rf"(?:^|/){re.escape(package)} {re.escape(name)}$", key)), "")


def _by_field(structs: dict[str, _Struct], one: _Struct, before: str, depth: int) -> Iterator[EnvRead]:
    """envconfig's own names: PREFIX_FIELD, and PREFIX_FIELD_INNER for a struct in a field."""
    for kind, tags, line in one.fields:
        name = "_".join(filter(None, (before, tags.name.upper() or tags.words)))
        if kind in structs and depth < _DEEPEST:
            yield from _by_field(structs, structs[kind], name if tags.words else before, depth + 1)
        elif tags.words and re.fullmatch(_NAME, name):
            yield EnvRead(name, Evidence(one.path, line), is_required=tags.is_required, default=tags.default)


def _at(path: str, text: str, start: int) -> Evidence:
    return Evidence.at(path, text, start)


def _structs(path: str, text: str) -> dict[str, _Struct]:
    """Every struct, by folder and name; one inside another is known by the line it begins on."""
    out: dict[str, _Struct] = {}
    open_: list[tuple[str, int]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if begun := _STRUCT.match(line):
            is_type = line.lstrip().startswith("type ") or not open_
            name = f"{folder_of(path)} {begun[1]}" if is_type else f"{path}:{number}"
            out.setdefault(name, _Struct(path))
            open_.append((name, number))
            continue
        if not open_:
            continue
        stripped = line.strip()
        if stripped.startswith("}"):
            name, began = open_.pop()
            if open_ and name == f"{path}:{began}":
                tags = _tags(stripped)
                out[open_[-1][0]].fields.append((name, tags, began))
            continue
        if stripped.startswith("//") or not stripped:
            continue
        if stripped.endswith("{"):
            open_.append((f"{path}:{number}", number))
            out.setdefault(f"{path}:{number}", _Struct(path))
        elif found := _FIELD.match(line):
            out[open_[-1][0]].fields.append(
                (found[2].lstrip("*[]") + found[3], _tags(found[4] or "", found[1] or ""), number)
            )
    return out


def _tags(text: str, field_name: str = "") -> _Tags:
    tags: dict[str, str] = dict(_TAG.findall(text[:2000]))
    name, *words = (tags.get("env") or tags.get("envconfig") or "").split(",")
    prefix = tags.get("envPrefix") or tags.get("env-prefix") or ""
    if tags.get("env-namespace"):
        prefix = f"{tags['env-namespace']}_"  # go-flags puts an underscore between
    must = "required" in words or "notEmpty" in words
    must = must or "true" in (tags.get("required"), tags.get("env-required"))
    default = next((tags[key] for key in ("envDefault", "env-default", "default") if key in tags), None)
    is_name = re.fullmatch(_NAME, name) is not None
    in_words = field_name
    if tags.get("split_words") == "true":
        in_words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", field_name)
    is_shown = field_name[:1].isupper() and tags.get("ignored") != "true"
    shown = in_words.upper() if is_shown else ""
    return _Tags(name if is_name else "", prefix, must and default is None, default, shown)


def _of_structs(structs: dict[str, _Struct]) -> Iterator[EnvRead]:
    """Names below every struct that no other one holds."""
    held = {kind for one in structs.values() for kind, tags, _ in one.fields if kind in structs and not tags.name}
    left = _MOST_FIELDS
    for name, one in structs.items():
        if name in held:
            continue
        for read in _names(structs, one, "", 0):
            left -= 1
            if left < 0:
                return
            yield read


def _names(structs: dict[str, _Struct], one: _Struct, before: str, depth: int) -> Iterator[EnvRead]:
    for kind, tags, line in one.fields:
        if tags.name:
            at = Evidence(one.path, line)
            yield EnvRead(before + tags.name, at, is_required=tags.is_required, default=tags.default)
        elif kind in structs and depth < _DEEPEST:
            yield from _names(structs, structs[kind], before + tags.prefix, depth + 1)
