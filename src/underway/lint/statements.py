"""SQL text → statements, by PostgreSQL's lexical rules (manual, 4.1). Whatever the text, it ends and raises nothing."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
  | (?P<comment>/\*)
  | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
  | (?P<text>(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|\Z))
  | (?P<name>(?:[uU]&)?"(?:[^"]|"")*(?:"|\Z))
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<end>;)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NESTED = re.compile(r"/\*|\*/")
_COPY_END = re.compile(r"^\\\.[ \t]*$", re.MULTILINE)
_PLAIN = re.compile(r'"[a-z_][a-z0-9_$]*"')
MASK = "'…'"
SHOWN_CHARS = 240


class Statement(NamedTuple):
    """One statement. `begin` and `end` are offsets into the script; `line` counts from 1.

    `plain` is the statement in lower case with single spaces, without comments and with every string masked: the
    form that rules read. Quoted names that need no quotes have none.
    """

    begin: int
    end: int
    line: int
    text: str
    plain: str

    @property
    def shown(self) -> str:
        """For people: one line, strings masked, at most 240 characters."""
        flat = " ".join(_masked(self.text).split())
        return flat if len(flat) <= SHOWN_CHARS else flat[: SHOWN_CHARS - 1] + "…"


def statements(sql: str) -> tuple[Statement, ...]:
    """The statements of a script, in order. What is no statement (comments, psql's own commands) is left out."""
    found: list[Statement] = []
    at, begin, words = 0, -1, list[str]()
    line, counted = 1, 0

    def close(end: int) -> None:
        nonlocal begin, words, line, counted
        if words:
            line, counted = line + sql.count("\n", counted, begin), begin
            found.append(Statement(begin, end, line, sql[begin:end], " ".join(words)))
        begin, words = -1, []

    while at < len(sql):
        if not words and sql[at] == "\\":  # a command of psql's: to the end of its line
            at = _line_end(sql, at)
            continue
        kind, word, after = _next(sql, at)
        if kind == "end":
            is_copy = bool(words) and words[0] == "copy" and words[-1] == "stdin"
            close(after)
            if is_copy:
                ended = _COPY_END.search(sql, after)
                after = ended.end() if ended else len(sql)
        elif word:
            begin = at if begin < 0 else begin
            words.append(word)
        at = after
    close(len(sql))
    return tuple(found)


def _next(sql: str, at: int) -> tuple[str, str, int]:
    """The kind of the token at `at`, its plain form (empty for what rules do not read), and where it ends."""
    token = _TOKEN.match(sql, at)
    assert token is not None, "every character is a sign"
    kind = token.lastgroup if token.lastgroup != "tag" else "dollar"
    match kind:
        case "comment":
            return "space", "", _comment_end(sql, token.end())
        case "dollar":
            closed = sql.find(token[0], token.end())
            return "text", MASK, len(sql) if closed < 0 else closed + len(token[0])
        case "escaped" | "text":
            return "text", MASK, token.end()
        case "name":
            name = token[0]
            return "word", name[1:-1] if _PLAIN.fullmatch(name) else name, token.end()
        case "word":
            return "word", token[0].lower(), token.end()
        case "space" | "end":
            return kind, "", token.end()
        case "number":
            return "number", token[0], token.end()
        case _:
            return "sign", token[0], token.end()


def _comment_end(sql: str, at: int) -> int:
    """Where a block comment ends, the comments inside it closed too."""
    depth = 1
    for found in _NESTED.finditer(sql, at):
        depth += 1 if found[0] == "/*" else -1
        if not depth:
            return found.end()
    return len(sql)


def _line_end(sql: str, at: int) -> int:
    end = sql.find("\n", at)
    return len(sql) if end < 0 else end + 1


def masked(sql: str, *, hides_numbers: bool = False) -> str:
    """`sql` on one line, without comments, with every string and dollar-quoted body masked, at most 240 characters.

    `hides_numbers` for statements of users rather than of migrations: a number may be somebody's.
    """
    flat = " ".join(_masked(sql, hides_numbers=hides_numbers).split())
    return flat if len(flat) <= SHOWN_CHARS else flat[: SHOWN_CHARS - 1] + "…"


def _masked(sql: str, *, hides_numbers: bool = False) -> str:
    out, at = [], 0
    while at < len(sql):
        kind, word, after = _next(sql, at)
        is_hidden = kind == "number" and hides_numbers
        out.append("…" if is_hidden else word if kind == "text" else " " if kind == "space" else sql[at:after])
        at = after
    return "".join(out)
