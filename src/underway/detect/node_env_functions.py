"""Functions, tables and lists of JavaScript and TypeScript through which variables are read by a name that stands
elsewhere: `env("PORT")`, `oauth(Google, "GOOGLE_ID", "GOOGLE_SECRET")`, `{flag: "X_ENABLED"}` with
`process.env[entry.flag]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from underway.detect.calls import arguments

ENV = r"process\??\.env\??\.?"
"""`process.env` before a bracket, with or without optional chaining."""
_NAME = r"[A-Z][A-Z0-9_]{1,80}"
_ANY = r"[A-Za-z][A-Za-z0-9_]{1,80}"
_GENERIC = r"(?:<[^>\n]{0,120}>)?"
_FUNCTION = re.compile(
    rf"\bfunction\s+(\w+)\s*{_GENERIC}\s*\(|"
    rf"\b(?:const|let)\s+(\w+)\s*(?::[^=\n]{{1,80}})?=\s*(?:async\s+)?{_GENERIC}\s*(?:\(|(\w+)\s*=>)|"
    rf"^[ \t]+(?:(?:public|private|protected|static|async)[ \t]+){{0,3}}(\w+)[ \t]*{_GENERIC}\(",
    re.MULTILINE,
)
"""A declaration up to its parameters; what follows tells a function from a call."""
_BEGINS = re.compile(r"(?::[^={};]{1,200}|:[^=;]{1,200}?)?\s*(?:=>|\{)")
_NO_METHOD = frozenset({"if", "for", "while", "switch", "function", "catch", "return", "constructor", "with"})
_LIST = re.compile(r"\b(?:const|let|var)\s+(\w+)[^=\n]{0,80}=\s*\[\s*((?:['\"]\w{2,80}['\"]\s*(?:,\s*)?){1,60})\]")
_EACH = r"(?:filter|map|forEach|some|every|find|flatMap|reduce)"
_OF_PROPERTY = re.compile(
    rf"{ENV}\[\s*(?:`(\w*)\$\{{\s*)?[A-Za-z_$][\w$]*(?:\.[\w$]+){{0,4}}?\.(\w+)\s*(?:\}}(\w*)`)?\s*\]"
)
_OF_PROPERTY_LIST = re.compile(rf"\.(\w+)\s*\??\.\s*{_EACH}\(\s*\(?(\w+)\)?\s*=>[^\n]{{0,200}}?{ENV}\[\s*\2\s*\]")
_MOST_CALLS = 3000


@dataclass(frozen=True)
class Takes:
    """Which argument of a function names the variable it reads, and what is put around it."""

    place: int
    before: str = ""
    after: str = ""


Functions = dict[str, frozenset[Takes]]


def functions_of(text: str, known: Functions) -> Functions:
    """The functions of a source that read a variable they are given the name of, by themselves or through `known`."""
    if not re.search(rf"{ENV}\[", text) and not any(name in text for name in known):
        return {}
    out: dict[str, frozenset[Takes]] = {}
    for found in _FUNCTION.finditer(text):
        name = found[1] or found[2] or found[4]
        if name in _NO_METHOD:
            continue
        parameters, end = ([found[3]], found.end()) if found[3] else arguments(text, found.end())
        if not found[3] and not _BEGINS.match(text, end):
            continue
        body = _body(text, end, is_method=bool(found[4]))
        if "env" not in body and not any(f"{each}(" in body for each in known):
            continue
        takes: set[Takes] = set()
        for place, each in enumerate(parameters[:6]):
            if not (word := re.match(r"\s*(\w+)", each)):
                continue
            parameter = word[1]
            takes |= {Takes(place, *around) for around in _around(body, parameter)}
            for called, its in known.items():
                if called == name or f"{called}(" not in body:
                    continue
                for call in re.finditer(rf"(?<![\w$]){re.escape(called)}{_GENERIC}\(", body):
                    given, _ = arguments(body, call.end())
                    takes |= {
                        Takes(place, one.before, one.after)
                        for one in its
                        if one.place < len(given) and re.match(rf"\s*{parameter}\b(?:\s+as\b|\s*$)", given[one.place])
                    }
        if takes:
            out[name] = frozenset(takes)
    return out


def _body(text: str, start: int, *, is_method: bool) -> str:
    """What a function seems to hold: to the next bracket or declaration in the first column."""
    near = text[start : start + (600 if is_method else 1500)]
    ends = [at for each in ("\n}", "\nexport ", "\nfunction ") if (at := near.find(each)) >= 0]
    return near[: min(ends)] if ends else near


def _around(body: str, parameter: str) -> set[tuple[str, str]]:
    out: set[tuple[str, str]] = set()
    if re.search(rf"{ENV}\[\s*{parameter}\b(?:\s+as\s+[^\]\n]{{1,80}})?\s*\]", body):
        out.add(("", ""))
    for found in re.finditer(rf"{ENV}\[\s*{parameter}\s*\+\s*['\"](\w+)['\"]", body):
        out.add(("", found[1]))
    for found in re.finditer(rf"{ENV}\[\s*`(\w*)\$\{{{parameter}\}}(\w*)`", body):
        out.add((found[1], found[2]))
    return out


def calls_of(text: str, functions: Functions) -> Iterator[tuple[str, int]]:
    """Names given to such functions, with their place: written out, from a constant, or from a table of texts."""
    if not functions:
        return
    names = "|".join(map(re.escape, sorted(functions)[:60]))
    left = _MOST_CALLS
    for call in re.finditer(rf"(?<![\w$])({names}){_GENERIC}\(", text):
        left -= 1
        if left < 0:
            return
        given, _ = arguments(text, call.end())
        for one in sorted(functions[call[1]], key=lambda each: (each.place, each.after)):
            if one.place < len(given):
                for name in _texts(given[one.place].strip(), text[: call.start()]):
                    yield f"{one.before}{name}{one.after}", call.start()


def _texts(argument: str, text: str) -> list[str]:
    """The names that an argument may be."""
    if found := re.match(rf"['\"`]({_ANY})['\"`](?:\s+as\b|\s*$)", argument):
        return [found[1]]
    if found := re.match(r"(\w+)\s*(\[|$)", argument):
        if found[2]:
            return _values(text, found[1])
        constant = re.search(
            rf"\b(?:const|let|var)\s+{re.escape(found[1])}\b[^=\n]{{0,60}}=\s*['\"]({_NAME})['\"]", text
        )
        return [constant[1]] if constant else []
    return []


def _values(text: str, name: str) -> list[str]:
    """The texts of the last `const name = {a: "A", b: "B"}`."""
    tables = re.findall(rf"\b(?:const|let|var)\s+{re.escape(name)}\b[^=\n]{{0,120}}=\s*\{{([^{{}}]{{0,4000}})\}}", text)
    return re.findall(rf":\s*['\"]({_NAME})['\"]", tables[-1]) if tables else []


def named_elsewhere(text: str) -> Iterator[tuple[str, int]]:
    """Names that stand in a list, or under a key of a table, whose entries are read one by one."""
    if not re.search(rf"{ENV}\[", text):
        return
    for found in list(_LIST.finditer(text))[:40]:
        name = re.escape(found[1])
        over = (
            rf"(?:\b{name}\s*\.\s*{_EACH}\(\s*\(?\s*(\w+)|\bfor\s*\(\s*(?:const|let|var)\s+(\w+)\s+of\s+{name}\b)"
            rf"[\s\S]{{0,400}}?{ENV}\[\s*(?:\1|\2)\s*\]"
        )
        if re.search(over, text):
            for each in re.findall(r"['\"](\w{2,80})['\"]", found[2]):
                yield each, found.start()
    for table in set(re.findall(rf"{ENV}\[\s*(\w+)\s*\[", text)):
        for each in _values(text, table):
            yield each, text.find(each)
    for before, key, after in {(found[1] or "", found[2], found[3] or "") for found in _OF_PROPERTY.finditer(text)}:
        for value in re.finditer(rf"\b{key}\s*:\s*['\"`]({_ANY})['\"`]", text):
            yield f"{before}{value[1]}{after}", value.start()
    for key in {found[1] for found in _OF_PROPERTY_LIST.finditer(text)}:
        for values in re.finditer(rf"\b{key}\s*:\s*\[([^\]]{{0,1000}})\]", text):
            for each in re.findall(rf"['\"`]({_ANY})['\"`]", values[1]):
                yield each, values.start()
