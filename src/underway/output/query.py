"""What somebody looks for → a match of the full-text index, and what is left to compare."""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_CHARS = 400
_PART = re.compile(r'"([^"]+)"|(\S+)')
_TOKEN = re.compile(r"[^\W_]+")


class Wanted(NamedTuple):
    """`match` is for FTS5, empty where no word of it is in an index; `literal` must be in the line as it stands."""

    match: str
    literal: tuple[str, ...]

    def is_in(self, text: str) -> bool:
        """`text` in lower case."""
        return all(each in text for each in self.literal)


def wanted(query: str) -> Wanted:
    """Every word must be in the line, in any order, with any ending; `"several words"` together as they stand.

    The index knows words without what is between them: a word such as `id=42` is found by `id` and `42`, and then
    compared.
    """
    tokens: list[str] = []
    literal: list[str] = []
    for quoted, word in _PART.findall(query[:MOST_CHARS]):
        said = quoted or word
        found = _TOKEN.findall(said)
        if found:
            tokens += [f'"{each}"' for each in found[:-1]]
            ends_in_word = said.endswith(found[-1])
            tokens.append(f'"{found[-1]}"*' if ends_in_word else f'"{found[-1]}"')
        if len(found) != 1 or found[0] != said:
            literal.append(said.lower())
    return Wanted(" AND ".join(tokens), tuple(literal))
