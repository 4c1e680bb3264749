"""What stands between the brackets of a call, in languages that are read by pattern."""

from __future__ import annotations


def arguments(text: str, start: int) -> tuple[list[str], int]:
    """The arguments of a call whose bracket opens before `start`, at most 2,000 characters of them, and their end."""
    parts, depth, quoted = [""], 0, ""
    for at, letter in enumerate(text[start : start + 2000], start + 1):
        if quoted:
            quoted = "" if letter == quoted else quoted
        elif letter in "\"'`":
            quoted = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if depth < 0:
                return parts, at
        elif letter == "," and not depth:
            parts.append("")
            continue
        parts[-1] += letter
    return parts, start
