"""A plain `.env` file: replaced whole, with its comments and its order, readable for its owner only."""

from __future__ import annotations

import fcntl
import io
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from underway.drivers.whole_file import write_whole
from underway.ports.places import Told
from underway.terms.environment import Held
from underway.terms.place import PlaceAddress
from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret

_MOST_BYTES = 20_000_000
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]+")


class FilePlace:
    """Driver of `Place`. Symbolic links are not followed; nothing in the file is expanded."""

    def __init__(self, address: PlaceAddress, root: Path) -> None:
        self.says = address.says
        self._path = root / Path(address.part(0)).expanduser()

    async def held(self) -> Mapping[str, Held]:
        from dotenv.parser import parse_stream

        bindings = parse_stream(io.StringIO(self._read()))
        return {
            each.key: Held(each.key, Secret(each.value)) for each in bindings if each.key and each.value is not None
        }

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        lines: dict[str, str] = {}
        told = {}
        for name, value in values.items():
            try:
                lines[name] = f"{name}={quoted(value.reveal())}"
                told[name] = Told(name)
            except ValueError as error:
                why = self._problem("place.refused", str(error), "keep this one in the vault and another kind of place")
                told[name] = Told(name, why)
        failure = self._write(lines, frozenset())
        return [Told(name, each.problem or failure) for name, each in told.items()]

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        failure = self._write({}, frozenset(names))
        return [Told(name, failure) for name in names]

    def _write(self, lines: Mapping[str, str], gone: frozenset[str]) -> Problem | None:
        from dotenv.parser import parse_stream

        try:
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            return self._problem("place.refused", f"its folder cannot be opened: {error.strerror}", "make the folder")
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            left, out = dict(lines), []
            for each in parse_stream(io.StringIO(self._read())):
                text = each.original.string
                above = text[: len(text) - len(text.lstrip())]  # blank lines belong to what comes after them
                if each.key in gone or (each.key in lines and each.key not in left):
                    text = above
                elif each.key in left:
                    end = "\n" if text.endswith("\n") else ""  # after a comment the line's end belongs to the next
                    text = f"{above}{left.pop(each.key)}{end}"
                out.append(text)
            content = "".join(out)
            content += "\n" if content and not content.endswith("\n") else ""
            write_whole(self._path, content + "".join(f"{line}\n" for line in left.values()))
        except Failure as failure:
            return failure.problem
        except OSError as error:
            return self._problem("place.refused", f"it cannot be written: {error.strerror}", "make it writable")
        finally:
            os.close(folder)
        return None

    def _read(self) -> str:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise self._failure(f"it cannot be read: {error.strerror}", "name a plain file") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise self._failure("it is no plain file", "name a plain file")
        with os.fdopen(descriptor, "rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES or b"\0" in content:
            raise self._failure("it is larger than 20 MB, or not text", "name a .env file")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise self._failure("it is not UTF-8", "save it as UTF-8") from None

    def _failure(self, why: str, remedy: str) -> Failure:
        return Failure(self._problem("place.refused", why, remedy))

    def _problem(self, code: str, why: str, remedy: str) -> Problem:
        return Problem(code=code, where=self.says, why=why, remedy=remedy)


def quoted(value: str) -> str:
    """`value` as python-dotenv, docker compose and a shell read it back the same.

    Raises `ValueError` for the few that no form serves: a NUL, or a quote, backslash or line break beside a `$`.
    """
    if "\0" in value:
        raise ValueError("it holds a NUL, which no environment can")
    if _BARE.fullmatch(value):
        return value
    if not re.search(r"['\\\r\n]", value):
        return f"'{value}'"
    if "$" in value or "`" in value or "\r" in value:
        raise ValueError(
            "a quote, backslash or line break beside a $, ` or carriage return is read differently by each tool"
        )
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
