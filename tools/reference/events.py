"""docs/events.md from the types in journal/events and one recorded deploy."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from tools.reference.source import ROOT

from underway.journal.events.event import Event
from underway.journal.events.every_event import AnyEvent
from underway.journal.recorded import Recorded, decode

EXAMPLE = ROOT / "docs" / "examples" / "deploy.jsonl"
"""What `underway deploy --json` printed once. Recorded by `python -m tools.record_deploy`."""

_HEAD = inspect.cleandoc(
    """
    # Events

    <!-- Made by `python -m tools.reference` from src/underway/journal/events. Edit that instead. -->

    Everything that happens is an event in the journal, `journal.db` in the home. `underway events APP --json`,
    `underway deploy --json`, `underway rollback APP --json`, `underway down APP --json` and `GET /v1/events` print
    each as one JSON object on a line of its own.

    Every object has `event` (the tag below), `seq` (its number in the journal, from 1, without gaps), `at` (seconds
    since 1970-01-01 UTC), `app` (empty for what concerns the whole home) and `act` (the deploy, rollback or take-down
    it belongs to, empty for none). Tags and fields are stable; new fields come with defaults. The `plan` of `planned`
    is kept in the journal and not printed: it is what a later agent goes on with.

    The last object of `deploy`, `rollback` and `down` is `finished`. When what was asked is refused before it reached
    the journal, `finished` has `outcome` `refused` and the `problems`, and no `seq`, `at`, `act` and `kind`.

    Who follows (`GET /v1/events?follow=true`, `underway events -f --json`, `underway deploy --json`) also gets a line
    with `event` `rollout` now and then while a release is on its way or watched: the split, both releases' requests,
    failures, quantiles and memory, the evidence and what is waited for, as the terminal shows it. It is no event and
    has no `seq`; its fields are those of [RolloutLine](api.md#rolloutline).
    """
)


def kinds() -> tuple[type[Event], ...]:
    """Every event, in the order of the source."""
    return get_args(AnyEvent)


def events_md() -> str:
    """The page. Raises `ValueError` when the recorded example is not of the shape the source has."""
    out = [_HEAD, "", "## An example", ""]
    out += [
        "Every event of one deploy of `tests/journeys/apps/tiny` beside a live release, shortened to the tag",
        "and",
    ]
    out[-1] += f" what it is about. The lines as they were printed are in [{EXAMPLE.name}](examples/{EXAMPLE.name})."
    out += ["", "```", *(_brief(line) for line in recorded()), "```", "", "Its last line, `finished`, in full:", ""]
    out += ["```json", json.dumps(recorded()[-1], indent=2, ensure_ascii=False), "```", "", "## The events", ""]
    shapes: dict[str, type[Any]] = {}
    for kind in kinds():
        tag = kind.__struct_config__.tag
        out += [f"### `{tag}`", "", *_told(kind), *_table(kind, shapes, own=True)]
    out += ["## The shapes inside", ""]
    done: set[str] = set()
    while left := [name for name in shapes if name not in done]:
        for name in sorted(left):
            done.add(name)
            out += [f"### {name}", "", *_told(shapes[name])]
            out += [] if issubclass(shapes[name], Enum) else _table(shapes[name], shapes)
    return "\n".join(out).rstrip("\n") + "\n"


def recorded(path: Path = EXAMPLE) -> list[dict[str, Any]]:
    """The recorded lines, each checked to be what this source would print. Raises `ValueError`."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        seq, at = line["seq"], line["at"]
        event = decode(json.dumps({k: v for k, v in line.items() if k not in ("seq", "at")}).encode())
        now = Recorded(seq=seq, at=at, event=event).flat()
        if json.loads(msgspec.json.encode(now)) != line:
            raise ValueError(f"{path}: {line['event']} (seq {seq}) has changed: python -m tools.record_deploy")
    return lines


def _brief(line: dict[str, Any]) -> str:
    about = [str(line[key]) for key in ("kind", "step", "slot", "outcome", "result") if line.get(key)]
    return f"{line['event']:<17} {'  '.join(about)}".rstrip()


def _told(kind: type[Any]) -> list[str]:
    text = kind.__doc__ or ""
    if issubclass(kind, Enum):
        values = " · ".join(f"`{each.value}`" for each in kind)
        return [*([inspect.cleandoc(text), ""] if text and "An enumeration" not in text else []), values, ""]
    if not text or text.startswith(f"{kind.__name__}("):
        return []
    return [inspect.cleandoc(text), ""]


def _table(kind: type[Any], shapes: dict[str, type[Any]], *, own: bool = False) -> list[str]:
    shared = set(Event.__struct_fields__) if own else set()
    hints = get_type_hints(kind)
    fields = [field for field in msgspec.structs.fields(kind) if field.name not in shared and field.name != "plan"]
    if not fields:
        return []
    rows = [f"| `{f.encode_name}` | {shown(hints[f.name], shapes)} | {_default(f)} |" for f in fields]
    return ["| field | type | default |", "|---|---|---|", *rows, ""]


def _default(field: Any) -> str:
    if field.required:
        return ""
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{json.dumps(field.default_factory())}`"
    return f"`{msgspec.json.encode(field.default).decode()}`"


def shown(kind: Any, shapes: dict[str, type[Any]]) -> str:
    """A type as JSON people read it; structs and enums are noted in `shapes` and linked."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (UnionType, Union):
        return " or ".join(shown(each, shapes) for each in inner)
    if origin is tuple and (len(inner) == 2 and inner[1] is ...):
        return f"list of {shown(inner[0], shapes)}"
    if origin is tuple:
        return f"list of {len(inner)}: {', '.join(dict.fromkeys(shown(each, shapes) for each in inner))}"
    if origin is dict:
        return f"object of {shown(inner[1], shapes)} by name"
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct | Enum):
        shapes[kind.__name__] = kind
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    raise ValueError(f"events have a type that this page cannot show: {kind}")


_PLAIN: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    NoneType: "null",
    msgspec.Raw: "object",
}


def undocumented() -> Iterator[str]:
    """The tags of events that the page would leave out: those that are no part of `AnyEvent`."""
    for kind in Event.__subclasses__():
        if kind not in kinds():
            yield kind.__name__
