"""Reads of the environment through something that holds it: another name of `process.env`, a module that exports it, a
function or a list of names, the schema it is parsed by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from underway.detect.index import folder_of, join
from underway.detect.model import Evidence
from underway.detect.node_env_functions import Functions, calls_of, functions_of, named_elsewhere
from underway.detect.python_code import EnvRead

_NAME = r"[A-Z][A-Z0-9_]{1,80}"
_WHOLE = r"(?:process\.env|import\.meta\.env|Bun\.env)\b(?!\s{0,4}[.\[?!\w'\"])"
"""The environment as a value, not one variable of it."""
_HELD = re.compile(
    rf"\b(?:const|let|var)\s+(\w+)\s*(?::[^=\n]{{1,120}})?=(?!>)([^;\n]{{0,200}}?)(?:{_WHOLE}|(?<!\w)loadEnv\()"
)
_SPREAD = re.compile(
    rf"\b(?:const|let|var)\s+(\w+)\s*(?::[^=\n]{{1,120}})?=\s*\{{\s*(?:\.\.\.[^,{{}}]{{1,100}},\s*){{0,4}}"
    rf"\.\.\.(?:{_WHOLE}|loadEnv\()"
)
_DEFAULT = re.compile(rf"(?:\bexport\s+default\b|\bmodule\.exports\s*=)([^;\n]{{0,200}}?){_WHOLE}")
_IMPORT = re.compile(
    r"\bimport\s+(?:type\s+)?(?:(\w+)\s*,?\s*)?(?:\{([^}]{0,2000})\}\s*)?from\s*['\"]([^'\"\n]{1,200})['\"]|"
    r"\b(?:const|let|var)\s+(?:(\w+)|\{([^}]{0,2000})\})\s*=\s*require\(\s*['\"]([^'\"\n]{1,200})['\"]"
)
_NAMES_IT = re.compile(r"process\??\.env|\bloadEnv\(")
_PARSED = re.compile(
    rf"\b(\w+)\s*\.\s*(?:safeParse|parse|parseAsync|validate|validateSync|cast|assert)\(\s*(?:{_WHOLE}|\{{\s*\.\.\.process\.env)|"
    rf"\b(?:v\.)?(?:parse|safeParse)\(\s*(\w+)\s*,\s*{_WHOLE}|\bValue\.\w+\(\s*(\w+)\s*,[^)\n]{{0,60}}{_WHOLE}"
)
_OBJECT = r"\b(?:const|let|var)\s+{0}\b[^=\n]{{0,80}}=\s*[\w.]{{1,40}}\(\s*\{{"
_INLINE = re.compile(
    rf"\b(?:\w+\.)?(?:object|strictObject|looseObject)\(\s*(\{{)|\b(?:createEnv|cleanEnv|defineEnv)\((?:\s*{_WHOLE}\s*,)?\s*(\{{)"
)
_KEY = re.compile(rf"(?:^|[{{,\n])\s*(?:/\*(?:(?!\*/).){{0,500}}\*/\s*)?['\"]?({_NAME})['\"]?\s*:", re.DOTALL)
_MOST = 2000
_GIVEN_BY_VITE = frozenset({"MODE", "DEV", "PROD", "SSR", "BASE_URL"})


@dataclass
class _Module:
    """What a file gives to others: `default` and names that hold the environment, functions that read from it."""

    held: set[str] = field(default_factory=set)
    reads: Functions = field(default_factory=dict)


def reads_through_objects(texts: dict[str, str]) -> Iterator[EnvRead]:
    """Reads in these files, by path, without comments."""
    modules = {path: _module(text) for path, text in texts.items() if _NAMES_IT.search(text)}
    giving = {path: module for path, module in modules.items() if module.held or module.reads}
    for path, text in texts.items() if any(module.reads for module in giving.values()) else ():
        further = functions_of(text, _known_in(path, text, giving)[1])  # those that call one of these
        if further:
            module = giving.setdefault(path, modules.get(path, _Module()))
            module.reads |= {name: takes for name, takes in further.items() if name not in module.reads}
    schemas = {name for text in texts.values() for found in _PARSED.finditer(text) for name in found.groups() if name}
    left = _MOST
    for path, text in texts.items():
        held, functions = _known_in(path, text, giving)
        for name, start in [
            *_of_held(text, held),
            *calls_of(text, functions),
            *named_elsewhere(text),
            *_of_schemas(text, schemas),
        ]:
            left -= 1
            if left < 0:
                return
            if name in _GIVEN_BY_VITE and "import.meta" in text:
                continue
            yield EnvRead(name, Evidence.at(path, text, start), is_required=False)


def _module(text: str) -> _Module:
    out = _Module()
    for found in _HELD.finditer(text):
        if "=>" not in found[2] and "function" not in found[2]:
            out.held.add(found[1])
    out.held |= {found[1] for found in _SPREAD.finditer(text)}
    if (given := _DEFAULT.search(text)) and "=>" not in given[1]:
        out.held.add("default")
    out.reads |= functions_of(text, {})
    for name in re.findall(r"\bexport\s+default\s+(\w+)\s*;?[ \t]*$", text, re.MULTILINE):
        out.held |= {"default"} if name in out.held else set()
        out.reads |= {"default": out.reads[name]} if name in out.reads else {}
    for name in re.findall(r"\bmodule\.exports\s*=\s*(\w+)\s*;?[ \t]*$", text, re.MULTILINE):
        out.held |= {"default"} if name in out.held else set()
        out.reads |= {"default": out.reads[name]} if name in out.reads else {}
    return out


def _known_in(path: str, text: str, giving: dict[str, _Module]) -> tuple[set[str], Functions]:
    """The names by which this file has the environment, and the functions that read it: its own and imported ones."""
    own = giving.get(path, _Module())
    held, functions = own.held - {"default"}, {k: v for k, v in own.reads.items() if k != "default"}
    if not giving or (len(giving) == 1 and path in giving):
        return held, functions
    for found in _IMPORT.finditer(text):
        whole, several, spec = found[1] or found[4], found[2] or found[5] or "", found[3] or found[6]
        source = _source(path, spec, giving)
        if source is None:
            continue
        names = {"default": whole} if whole else {}
        for part in several.split(","):
            if pair := re.match(r"\s*(?:type\s+)?(\w+)(?:\s*(?:as|:)\s*(\w+))?", part):
                names[pair[1]] = pair[2] or pair[1]
        for given, local in names.items():
            if given in source.held:
                held.add(local)
            if given in source.reads:
                functions[local] = source.reads[given]
    return held, functions


_END = re.compile(r"(?:/index)?\.[cm]?[jt]sx?$")


def _source(path: str, spec: str, giving: dict[str, _Module]) -> _Module | None:
    """The module that an import names: by its path, or, behind an alias (`@/env`, `@acme/lib/env`), by its end."""
    if spec.startswith("."):
        wanted = _END.sub("", join(folder_of(path), spec))
        return next((module for other, module in giving.items() if _END.sub("", other) == wanted), None)
    words = [word for word in _END.sub("", spec).split("/") if word not in ("@", "~", "src", "")]
    if not words or (len(words) == 1 and spec == words[0]):
        return None  # a package
    for other, module in giving.items():
        there = [word for word in _END.sub("", other).split("/") if word != "src"]
        if there[-1:] != words[-1:]:
            continue
        if len(words) < 2 or len(there) < 2 or there[-2] == words[-2].lstrip("@~#") or words[-2][:1] in "@~#":
            return module
    return None


def _of_held(text: str, held: set[str]) -> Iterator[tuple[str, int]]:
    if not held:
        return
    names = "|".join(map(re.escape, sorted(held)[:20]))
    for found in re.finditer(
        rf"(?<![\w.$'\"])(?:{names})(?:[?!]?\.({_NAME})\b(?!\s*=(?!=)|\s*\()|\[['\"]([A-Za-z_]\w{{1,80}})['\"]\](?!\s*=(?!=)))",
        text,
    ):
        yield found[1] or found[2], found.start()
    for found in re.finditer(rf"\b(?:const|let|var)\s*\{{([^}}]{{1,2000}})\}}\s*=\s*(?:{names})\b(?!\s*[.(\[])", text):
        for part in found[1].split(","):
            if name := re.match(rf"\s*({_NAME})\b", part):
                yield name[1], found.start()


def _of_schemas(text: str, schemas: set[str]) -> Iterator[tuple[str, int]]:
    """Keys of the schema that the environment is parsed by, whatever checks them (`PORT: portNumber.default(1)`)."""
    begins: set[int] = set()
    for name in sorted(schemas)[:40]:
        if name in text:
            begins |= {found.end() - 1 for found in re.finditer(_OBJECT.format(re.escape(name)), text)}
    if "createEnv(" in text or re.search(_WHOLE, text):
        for found in list(_INLINE.finditer(text))[:100]:
            is_parsed_here = found[2] or re.match(
                rf"\)\s*\.\s*(?:\w+\([^()\n]{{0,80}}\)\s*\.\s*)?(?:safeParse|parse)\(\s*{_WHOLE}",
                text[_end_of(text, found.end() - 1) :],
            )
            if is_parsed_here:
                begins.add(found.end() - 1)
    for begin in sorted(begins):
        body = text[begin : _end_of(text, begin)]
        for key in _KEY.finditer(body):
            from_another = re.search(rf"\b{key[1]}\s*:\s*process\.env\.(?!{key[1]}\b)\w", body)
            if from_another is None:
                yield key[1], begin + key.start(1)


def _end_of(text: str, begin: int) -> int:
    """Behind the bracket that closes the one at `begin`; at most 40,000 characters on."""
    depth = 0
    for bracket in re.compile(r"[{}]").finditer(text, begin, begin + 40_000):
        depth += 1 if bracket[0] == "{" else -1
        if depth == 0:
            return bracket.end()
    return min(len(text), begin + 40_000)
