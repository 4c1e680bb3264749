"""Which errors are the same one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from underway.errors.mask import mask
from underway.terms.app_error import AppError

_KIND_CHARS, _FILE_CHARS = 80, 60
_LIBRARY = re.compile(
    r"/(?:site|dist)-packages/|/node_modules/|^node:|^internal/|^<frozen |/lib/python3\.\d+/|/\.venv/|^<string>$"
)


class Frame(NamedTuple):
    """One line of a stack: where, and in which function."""

    file: str
    line: int
    function: str


def make_error(kind: str, message: str, frames: Sequence[Frame], secrets: Iterable[str] = ()) -> AppError:
    """`frames` begin with the one that raised. The app's own code comes before that of libraries."""
    own = next((frame for frame in frames if not _LIBRARY.search(frame.file)), frames[0] if frames else None)
    head = mask(message.strip(), secrets)
    kind = kind.rpartition(".")[2][:_KIND_CHARS] or "Error"
    path = PurePosixPath(own.file.removeprefix("file://")) if own else PurePosixPath()
    where = "/".join(path.parts[-2:]) if own else ""
    known = "\0".join((kind, head, where, own.function if own else ""))
    return AppError(
        fingerprint=hashlib.blake2b(known.encode(errors="replace"), digest_size=6).hexdigest(),
        kind=kind,
        message=head,
        place=f"{path.name[-_FILE_CHARS:]}:{own.line}" if own else "",
    )
