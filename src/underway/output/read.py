"""One line of output, understood: JSON of any of the usual loggers, logfmt, and the levels of Python and Node."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from underway.terms.output import Written

TEXT_CHARS = 8_192
FIELDS_CHARS = 16_384
LINE_END = "⏎"
"""Stands for a line break inside a message."""
_TRACE_CHARS = 64
_AHEAD_S, _BEHIND_S = 60.0, 86_400.0
"""A line's own time counts when it is no further than this from when it was read."""
_HEAD_CHARS = 120
_LEVEL_NAMES = ("level", "severity", "levelname", "lvl", "log.level", "loglevel")
_TEXT_NAMES = ("message", "msg", "event", "text", "short_message")
_TIME_NAMES = ("time", "timestamp", "ts", "@timestamp", "datetime", "asctime")
_TRACE_NAMES = ("trace_id", "traceId", "trace.id", "traceid", "dd.trace_id", "request_id", "requestId", "req_id")
_ALIKE = {
    "trace": "debug",
    "debug": "debug",
    "verbose": "debug",
    "silly": "debug",
    "info": "info",
    "notice": "info",
    "log": "info",
    "http": "info",
    "warn": "warning",
    "warning": "warning",
    "err": "error",
    "error": "error",
    "err!": "error",
    "crit": "critical",
    "critical": "critical",
    "fatal": "critical",
    "alert": "critical",
    "emerg": "critical",
    "emergency": "critical",
    "panic": "critical",
}
_PINO = {1: "debug", 2: "debug", 3: "info", 4: "warning", 5: "error", 6: "critical"}
"""Tens of the numbers that pino and bunyan write (getpino.io, loggerInstance.level)."""
_WORD = re.compile(
    r"(?:^|[\s\[(|<:])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR!|CRITICAL|FATAL|PANIC|ALERT|EMERG)(?=$|[\s\])|>:])"
)
_LOGFMT = re.compile(r"(?:^|\s)(?:level|lvl|severity)=\"?([A-Za-z]{3,9})")
_BRACKET = re.compile(
    r"^\W{0,3}(?:\[[^\]]{0,40}\] ?){0,3}\[?(trace|debug|info|notice|warn|warning|error|fatal|crit)\b\]?:?\s"
)
_PLAIN_TRACE = re.compile(r"(?i)(?:^|[\s{(\[,])(?:trace|request|req)_?id[=:]\s*\"?([\w.-]{6,64})")


def read_line(line: str, now: float) -> Written:
    """Understand a clean line that was read at `now`. What cannot be understood is text."""
    if line[:1] == "{" and line[-1:] == "}":
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            found = None
        if isinstance(found, dict) and found:
            return _from_json(found, line, now)
    level = ""
    head = line[:_HEAD_CHARS]
    if (word := _WORD.search(head)) is not None:
        level = _ALIKE[word[1].lower()]
    elif "=" in head and (word := _LOGFMT.search(head)) is not None:
        level = _ALIKE.get(word[1].lower(), "")
    elif (word := _BRACKET.match(head)) is not None:
        level = _ALIKE[word[1]]
    trace = ""
    if ("id=" in line or "id:" in line) and (told := _PLAIN_TRACE.search(line)) is not None:
        trace = told[1]
    return Written(now, level, line[:TEXT_CHARS], "", trace)


def _from_json(found: dict[str, Any], line: str, now: float) -> Written:
    level = _level(_taken(found, _LEVEL_NAMES))
    text = _taken(found, _TEXT_NAMES)
    at = _moment(_taken(found, _TIME_NAMES), now)
    trace = _taken(found, _TRACE_NAMES, is_kept=True)
    if not isinstance(text, str):
        said = text if text is not None else found
        text = msgspec.json.encode(said).decode()
        found = found if said is not found else {}
    fields = msgspec.json.encode(found).decode() if found else ""
    return Written(
        at,
        level,
        text.replace("\n", LINE_END)[:TEXT_CHARS],
        fields[:FIELDS_CHARS],
        str(trace)[:_TRACE_CHARS] if isinstance(trace, str | int) else "",
    )


def _taken(found: dict[str, Any], names: tuple[str, ...], *, is_kept: bool = False) -> Any:
    for name in names:
        if name in found:
            return found[name] if is_kept else found.pop(name)
    return None


def _level(said: Any) -> str:
    if isinstance(said, str):
        return _ALIKE.get(said.lower(), "")
    if isinstance(said, int | float) and not isinstance(said, bool):
        return _PINO.get(int(said) // 10, "")
    return ""


def _moment(said: Any, now: float) -> float:
    """When a line says that it was written; `now` where it says nothing that can be true."""
    at = 0.0
    if isinstance(said, int | float) and not isinstance(said, bool):
        at = float(said)
        while at > 1e11:  # milli-, micro- and nanoseconds
            at /= 1000
    elif isinstance(said, str) and 19 <= len(said) <= 40:
        try:
            told = datetime.fromisoformat(said)
        except ValueError:
            return now
        at = told.timestamp() if told.tzinfo is not None else 0.0  # without a zone nobody can say when that was
    return at if now - _BEHIND_S < at < now + _AHEAD_S else now
