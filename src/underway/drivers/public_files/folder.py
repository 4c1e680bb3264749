"""Public files as files of a folder, 0644."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from underway.drivers.whole_file import write_whole
from underway.terms.problem import Failure, Problem


class PublicFolder:
    """`PublicFiles` on this machine."""

    def put(self, folder: Path, files: Mapping[str, bytes]) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                write_whole(folder / name, content, mode=0o644)
        except OSError as error:
            raise Failure(_unwritable(folder, error)) from error


def _unwritable(folder: Path, error: OSError) -> Problem:
    return Problem(
        code="statuspage.folder",
        where=str(folder)[:200],
        why=f"it cannot be written to: {error.strerror or error}",
        remedy="name a folder that you may write to",
    )
