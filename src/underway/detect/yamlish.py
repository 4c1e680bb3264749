"""The part of YAML that compose files and CI workflows are written in, with line numbers.

Block mappings and lists, flow lists and mappings, quoted and block scalars, anchors, aliases and merges. Every scalar
stays text. What it does not understand is left out; it never raises and takes time linear in the text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

_DEEPEST = 40
_MOST_LINES = 20_000
_KEY = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#\-\[\]{}"'&*!|>%@`][^#]*?|-[^\s#][^#]*?|<<)\s*:(?=\s|$)""")


@dataclass
class Node:
    """A value and its line: text, entries by key, or items. Exactly one of them is meant."""

    line: int
    text: str = ""
    entries: dict[str, Node] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)

    def at(self, *keys: str) -> Node:
        """The node below these keys; an empty one when there is none."""
        node = self
        for key in keys:
            node = node.entries.get(key) or Node(self.line)
        return node

    def texts(self) -> list[str]:
        """The items as text; a text alone counts as one."""
        if self.items:
            return [item.text for item in self.items if item.text]
        return [self.text] if self.text else []

    @property
    def is_there(self) -> bool:
        return bool(self.text or self.entries or self.items)


@dataclass
class _Row:
    line: int
    indent: int
    text: str


class _Reader:
    def __init__(self, text: str) -> None:
        self.raw = text.split("\n")[:_MOST_LINES]
        self.rows: list[_Row] = []
        for number, each in enumerate(self.raw, 1):
            body = each.rstrip("\r")
            stripped = body.strip() and body.lstrip(" ")
            if stripped.startswith("---") and self.rows:
                break
            if stripped and not stripped.startswith(("#", "---", "%")):
                self.rows.append(_Row(number, len(body) - len(stripped), stripped.rstrip()))
        self.at = 0
        self.anchors: dict[str, Node] = {}

    def block(self, indent: int, depth: int) -> Node:
        row = self.rows[self.at]
        if depth > _DEEPEST:
            self.skip(indent)
            return Node(row.line)
        if row.text == "-" or row.text.startswith("- "):
            return self.list_at(row.indent, depth)
        if _KEY.match(row.text):
            return self.mapping_at(row.indent, depth)
        self.at += 1
        return self.scalar(row.text, row.line, row.indent - 1, depth)

    def skip(self, indent: int) -> None:
        while self.at < len(self.rows) and self.rows[self.at].indent >= indent:
            self.at += 1

    def list_at(self, indent: int, depth: int) -> Node:
        node = Node(self.rows[self.at].line)
        while self.at < len(self.rows):
            row = self.rows[self.at]
            if row.indent != indent or not (row.text == "-" or row.text.startswith("- ")):
                break
            rest = row.text[1:].lstrip()
            if not rest or rest.startswith("#"):
                self.at += 1
                if self.at < len(self.rows) and self.rows[self.at].indent > indent:
                    node.items.append(self.block(indent + 1, depth + 1))
                else:
                    node.items.append(Node(row.line))
                continue
            inner = indent + len(row.text) - len(rest)
            if _KEY.match(rest) and not rest.startswith(("{", "[")):
                self.rows[self.at] = _Row(row.line, inner, rest)
                node.items.append(self.mapping_at(inner, depth + 1))
                continue
            self.at += 1
            node.items.append(self.scalar(rest, row.line, indent, depth))
        return node

    def mapping_at(self, indent: int, depth: int) -> Node:
        node = Node(self.rows[self.at].line)
        while self.at < len(self.rows):
            row = self.rows[self.at]
            found = _KEY.match(row.text) if row.indent == indent else None
            if found is None:
                if row.indent > indent:
                    self.at += 1  # a line that fits nowhere
                    continue
                break
            key = _unquoted(found[1])
            rest = row.text[found.end() :].strip()
            self.at += 1
            value = self.value(rest, row, indent, depth)
            if key == "<<":
                for name, inherited in value.entries.items():
                    node.entries.setdefault(name, inherited)
            else:
                node.entries[key] = value
        return node

    def value(self, rest: str, row: _Row, indent: int, depth: int) -> Node:
        anchor = re.match(r"&(\S+)\s*", rest)
        if anchor:
            rest = rest[anchor.end() :]
        rest = re.sub(r"^!\S+\s*", "", rest)
        if rest and not rest.startswith("#"):
            node = self.scalar(rest, row.line, indent, depth)
        elif self.at < len(self.rows) and self._is_below(self.rows[self.at], indent):
            node = self.block(self.rows[self.at].indent, depth + 1)
        else:
            node = Node(row.line)
        node.line = row.line if not node.is_there else node.line
        if anchor and len(self.anchors) < 1000:
            self.anchors[anchor[1]] = node
        return node

    def _is_below(self, row: _Row, indent: int) -> bool:
        return row.indent > indent or (row.indent == indent and (row.text == "-" or row.text.startswith("- ")))

    def scalar(self, text: str, line: int, indent: int, depth: int) -> Node:
        if text.startswith("*"):
            return self.anchors.get(text[1:].split("#")[0].strip(), Node(line))
        if re.match(r"[|>][+-]?\d?[+-]?(\s|$)", text):
            lines = []
            while self.at < len(self.rows) and self.rows[self.at].indent > indent:
                lines.append(self.rows[self.at].text)
                self.at += 1
            return Node(line, text=("\n" if text[0] == "|" else " ").join(lines))
        if text[0] in "[{":
            while text.count("[") + text.count("{") > text.count("]") + text.count("}"):
                if self.at >= len(self.rows) or len(text) > 20_000:
                    break
                text += " " + _uncommented(self.rows[self.at].text)
                self.at += 1
            return _flow(_uncommented(text), line)
        quote = text[0]
        if quote in "\"'":
            while not _closes(text, quote) and self.at < len(self.rows) and self.rows[self.at].indent > indent:
                text += " " + self.rows[self.at].text
                self.at += 1
            return Node(line, text=_unquoted(_uncommented(text)))
        text = _uncommented(text)
        while self.at < len(self.rows) and self.rows[self.at].indent > indent:  # a plain scalar goes on below
            text += " " + _uncommented(self.rows[self.at].text)
            self.at += 1
        return Node(line, text=text)


def _closes(text: str, quote: str) -> bool:
    pattern = r'"(?:[^"\\]|\\.)*"' if quote == '"' else r"'(?:[^']|'')*'"
    return re.match(pattern, text) is not None


def _uncommented(text: str) -> str:
    if "#" not in text:
        return text
    found = re.match(r"""(?:[^"'#]|"(?:[^"\\]|\\.)*"|'[^']*'|(?<=\S)#|["'])*""", text)
    return text[: found.end()].rstrip() if found else text


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text, strict=False))
        except ValueError:
            return text[1:-1]
    return text


_FLOW = re.compile(
    r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[\[\]{},]|:(?=\s)|[^\s"',\[\]{}][^,\[\]{}]*?(?=:\s|[,\[\]{}]|$))"""
)


def _flow(text: str, line: int) -> Node:
    """A flow list or mapping on one line, two deep at most."""
    root = Node(line)
    stack: list[tuple[Node, str]] = []
    key = ""
    for found in _FLOW.finditer(text[:20_000]):
        sign = found[1]
        if sign in ("[", "{"):
            if not stack:
                stack.append((root, key))
                continue
            if len(stack) > _DEEPEST:
                return root
            inner = Node(line)
            _put(stack[-1][0], key, inner)
            stack.append((inner, key))
            key = ""
        elif sign in ("]", "}"):
            if stack:
                stack.pop()
            key = ""
        elif sign == ",":
            key = ""
        elif sign == ":":
            if stack and stack[-1][0].items:
                key = stack[-1][0].items.pop().text
        elif stack:
            _put(stack[-1][0], key, Node(line, text=_unquoted(sign)))
            key = ""
    return root


def _put(parent: Node, key: str, child: Node) -> None:
    if key:
        parent.entries[key] = child
    else:
        parent.items.append(child)


def read_yaml(text: str) -> Node:
    """The first document of `text`."""
    reader = _Reader(text.replace("\t", "    "))
    if not reader.rows:
        return Node(1)
    try:
        return reader.block(reader.rows[0].indent, 0)
    except RecursionError:
        return Node(1)
