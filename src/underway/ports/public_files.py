from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class PublicFiles(Protocol):
    """Files for everybody: a published status page, which the proxy serves or somebody carries elsewhere."""

    def put(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Write each file (name → content) whole: who reads meanwhile gets the one before or this one, and so after a
        crash. `folder` is made where it is not there; what else is in it stays.

        Raises `Failure` (`statuspage.folder`); some of the files may be written then.
        """
        ...
