"""Which settings a process named when it ended: those that it does without no longer, and those that it cannot read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_MOST = 12
_NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"
_QUOTED_KEY = re.compile(rf"KeyError: '({_NAME})'")
_OF_OS = re.compile(r'File "(?:<frozen os>|[^"]*[/\\]os\.py)", line')
_FROM_OS = 4
"""Lines before `KeyError` in which `os.environ` shows itself."""
_TELLS = re.compile(
    r"environment[ _]variables?|\benv(?:ironment)? vars?\b|\benvvar\b|\bmissing (?:required )?(?:env|setting)"
    r"|(?:must|has to|needs to|should) be (?:set|defined|provided)"
    r"|(?:is|are|was) (?:required|missing|undefined|not (?:set|defined|provided|found))",
    re.IGNORECASE,
)
_LONG_NAME = re.compile(r"(?<![\w./$-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w(/-]|\.\w)")
_SHORT_NAME = re.compile(
    rf"""["'`]?(?<![\w./$-])({_NAME})["'`]? """
    r"(?:environment variable|(?:must be|is not|not) set|is (?:required|missing))"
    rf"""|environment variable(?: not found)?:? ["'`]?({_NAME})\b"""
)
_ITEM = re.compile(rf"\s+(?:[-*•] ?)?({_NAME})(?::|\s*$)")
_CODES = re.compile(r"(?:E[A-Z]{4,}|ERR_\w+|ERROR|HTTP|JSON|NODE_OPTIONS|PYTHONPATH)")
"""Capitals in an error that are no setting of the app's."""
_MODEL = re.compile(r"\d+ validation errors? for (?P<model>\w*(?:Settings|Config|Env)\w*)")
_FIELD = re.compile(r"(?P<field>[A-Za-z]\w*)(?:(?:\.| -> )[\w.>-]+(?: -> \w+)*)?")
_ISSUE = re.compile(rf'\{{[^{{}}]{{0,1000}}?"path":\s*\[\s*"({_NAME})"\s*\][^{{}}]{{0,600}}\}}')
_FLAT = re.compile(rf"^\s*({_NAME}): \[?\s*['\"](.{{0,200}})", re.MULTILINE)
_ABSENT = re.compile(r"required|undefined|missing", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """Names of variables: those that have no value, and those whose value the app does not take."""

    missing: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.wrong)

    def remedy(self) -> str:
        """What to do, where the command beside it is `command`."""
        lines = ", ".join(f'{name} = "…"' for name in (*self.missing, *self.wrong))
        says = f"{_listed(self.missing)} {_has(self.missing)} no value: set it" if self.missing else ""
        if self.wrong:
            takes = "what it has is not what the app takes" if len(self.wrong) == 1 else "what they have is not taken"
            says += f"{'; ' if says else ''}correct {_listed(self.wrong)}: {takes}"
        return f"{says}; the command asks for it, or write it under [env] in underway.toml: {lines}"

    def command(self) -> str:
        return f"underway env set {' '.join((*self.missing, *self.wrong))}"


def settings_in(lines: Sequence[str]) -> Settings:
    """The settings that the last lines of a process name as missing or as wrong; none where they name none for sure.

    Read are `KeyError` of `os.environ`, the messages of pydantic, zod, envalid, django-environ, decouple and Prisma,
    and sentences such as "environment variable X must be set". A `KeyError` of another mapping is no setting.
    """
    text = "\n".join(lines)
    missing = [*_keys(lines), *_sentences(lines)]
    wrong: list[str] = []
    for name, is_absent in (*_fields(lines), *_issues(text)):
        (missing if is_absent else wrong).append(name)
    kept = tuple(dict.fromkeys(name for name in missing if name not in wrong))
    return Settings(kept[:_MOST], tuple(dict.fromkeys(wrong))[:_MOST])


def _keys(lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        found = _QUOTED_KEY.search(line)
        if found and any(_OF_OS.search(before) for before in lines[max(number - _FROM_OS, 0) : number]):
            yield found[1]


def _sentences(lines: Sequence[str]) -> Iterator[str]:
    is_list = False
    for line in lines:
        if is_list and (one := _ITEM.match(line)):
            yield one[1]
            continue
        is_list = bool(_TELLS.search(line)) and line.rstrip().endswith(":")
        if not line.startswith(("  ", "\t")) and _TELLS.search(line):  # else source code, or a frame of a stack
            names = [*_LONG_NAME.findall(line), *(a or b for a, b in _SHORT_NAME.findall(line))]
            yield from (name for name in names if not _CODES.fullmatch(name))


def _fields(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """pydantic: the field alone on a line, what is wrong with it indented below."""
    is_inside = False
    for line, below in pairwise([*lines, ""]):
        is_inside = (is_inside and (line[:1] in (" ", "") or bool(_FIELD.fullmatch(line)))) or bool(_MODEL.search(line))
        if is_inside and (found := _FIELD.fullmatch(line)) and below.startswith(" "):
            yield found["field"].upper(), bool(re.search(r"field required|type=(?:value_error\.)?missing", below, re.I))


def _issues(text: str) -> Iterator[tuple[str, bool]]:
    """zod: one object for each, or a list of messages by name."""
    for found in _ISSUE.finditer(text):
        yield found[1], bool(_ABSENT.search(found[0].replace(found[1], "")))
    if re.search(r"environment variables|ZodError|fieldErrors", text):
        for found in _FLAT.finditer(text):
            yield found[1], bool(_ABSENT.search(found[2]))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
