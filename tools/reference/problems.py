"""docs/problems.md: every problem code that the source can tell of, with its texts."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tools.reference.source import Function, Module, Scope, Source, Texts, arguments, called, parameters, required

CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\.[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""`room.what`: words of small letters with hyphens inside, one dot."""
FIELDS = ("where", "why", "remedy", "command")


@dataclass(frozen=True)
class Telling:
    """One place that tells of a problem. `texts` has what its fields may say."""

    code: str
    module: str
    says: str
    """The docstring of the function it stands in."""
    texts: Mapping[str, Texts] = field(default_factory=dict)


def tellings(source: Source) -> list[Telling]:
    """Every place, in the order of the source. A place whose code is not found statically has the code `""`."""
    found: list[Telling] = []
    for module, call in source.calls:
        if called(call) != "Problem" or module.name == "terms/problem.py":
            continue
        given = arguments(call)
        if call.args or "code" not in given:
            if not any(word.arg is None for word in call.keywords):  # Problem(**fields) reads one that was told before
                found.append(Telling(code="", module=f"{module.name}:{call.lineno}", says=""))
            continue
        found += _told(source, module, call, given["code"], {})
    return found


def _told(
    source: Source, module: Module, call: ast.Call, code: ast.expr, bound: Mapping[str, Texts]
) -> Iterator[Telling]:
    """The tellings of one `Problem(...)`: its own, or one for each caller that brings the code."""
    function = module.enclosing(call)
    for frame in _frames(source, module, call, code, bound):
        scope = Scope(source, module, call, frame.bound)
        texts = {name: scope.says(value) for name, value in arguments(call).items() if name in FIELDS}
        doc = ast.get_docstring(frame.function or function) if (frame.function or function) else ""
        yield Telling(code=frame.code, module=frame.module.name, says=(doc or "").split("\n\n")[0], texts=texts)


@dataclass(frozen=True)
class _Frame:
    code: str
    module: Module
    function: Function | None
    bound: Mapping[str, Texts]


def _frames(
    source: Source, module: Module, call: ast.Call, code: ast.expr, bound: Mapping[str, Texts], depth: int = 0
) -> Iterator[_Frame]:
    """How `code` gets its value: a constant here, or what callers or fields of that name give."""
    function = module.enclosing(call)
    if isinstance(code, ast.Name) and function and code.id in parameters(function) and depth < 6:
        for other, outer in _callers(source, module, function):
            given = arguments(outer, function)
            if code.id not in given:
                continue
            for frame in _frames(source, other, outer, given[code.id], {}, depth + 1):
                scope = Scope(source, other, outer, frame.bound)
                texts = {name: scope.says(value) for name, value in given.items()}
                yield _Frame(frame.code, frame.module, frame.function, texts)
        return
    if isinstance(code, ast.Attribute):
        for other, made in source.calls:
            given = arguments(made)
            if called(made)[:1].isupper() and called(made) != "Problem" and code.attr in given:
                for text in Scope(source, other, made).says(given[code.attr]):
                    yield _Frame(text, other, other.enclosing(made), bound)
        return
    for text in Scope(source, module, call, bound).says(code):
        yield _Frame(text, module, function, bound)


def _callers(source: Source, module: Module, function: Function) -> Iterator[tuple[Module, ast.Call]]:
    """Calls of `function`: in its own module, or as a method or import elsewhere, when no nearer one has its name."""
    for other, call in source.calls:
        if called(call) != function.name:
            continue
        nearer = any(each.name == function.name for each in other.functions)
        fits = required(function) <= arguments(call, function).keys()  # `add` is also a method of sets
        if fits and (other is module or not nearer):
            yield other, call


def problems_md(source: Source) -> str:
    """The page. Raises `ValueError` for a code that is not `room.what` or not found."""
    found = tellings(source)
    if wrong := sorted({f"{t.code or '?'} in {t.module}" for t in found if not CODE.fullmatch(t.code)}):
        raise ValueError(f"problem codes that are not `room.what` or cannot be found: {', '.join(wrong)}")
    by_code: dict[str, list[Telling]] = {}
    for telling in sorted(found, key=lambda t: (t.code, t.module)):
        by_code.setdefault(telling.code, []).append(telling)
    out = [_HEAD]
    rooms: dict[str, list[str]] = {}
    for code in by_code:
        rooms.setdefault(code.partition(".")[0], []).append(code)
    for room, codes in rooms.items():
        links = ", ".join(f"[`{code}`](#{code.replace('.', '')})" for code in codes)
        out.append(f"- **{room}**: {links}")
    out.append("")
    for code, each in by_code.items():
        out += [f"## `{code}`", "", f"From {', '.join(sorted({f'`{t.module}`' for t in each}))}.", ""]
        shown: list[str] = []
        for telling in each:
            text = _shown(telling)
            if text not in shown:
                shown.append(text)
        out += shown
    return "\n".join(out).rstrip("\n") + "\n"


def _shown(telling: Telling) -> str:
    lines: list[str] = []
    if telling.says and _is_bare(telling.texts.get("why", ())):
        lines.append(f"- about: {_safe(' '.join(telling.says.split()))}")
    for name in FIELDS:
        texts = [text for text in telling.texts.get(name, ()) if text]
        for number, text in enumerate(texts):
            shown = f"`{text}`" if name == "command" and "`" not in text else _safe(" ".join(text.split()))
            lines.append(f"- {name if not number else 'or'}: {shown}")
    return "\n".join(lines) + "\n"


def _is_bare(texts: Texts) -> bool:
    return not any(re.sub(r"‹[^›]*›", "", text).strip(" :;,()") for text in texts)


def _safe(text: str) -> str:
    """Text that Markdown shows as it is; what stands between backticks is shown so anyway."""
    parts = text.split("`")
    return "`".join(re.sub(r"([*_<>\[\]|])", r"\\\1", part) if n % 2 == 0 else part for n, part in enumerate(parts))


_HEAD = (
    inspect.cleandoc(
        """
    # Problems

    <!-- Made by `python -m tools.reference` from the source. Edit the problems where they are told. -->

    A problem says where it is, why, what mends it, and often a command to run. Its code is stable; scripts may depend
    on it. `‹name›` stands for what only a run knows. The file after "From" is below `src/underway/`.

    A problem found before anything was begun refuses what was asked: exit code 3, nothing changed. A problem of a step
    ends the act: exit code 4 before traffic moved, 5 after it. `underway.fault` is a fault of Underway: exit code 1
    when a command meets it, and the code of the act's outcome when a step does.
    """
    )
    + "\n"
)
