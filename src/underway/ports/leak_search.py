from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from underway.terms.leak import Searched


class LeakSearch(Protocol):
    """Looks for secrets in a folder's files and in its git history, and remembers what it has seen."""

    def search(self, root: str, *, with_history: bool, tell: Callable[[str, int, int], None]) -> Searched:
        """Everything found below `root`, judged, in no order. Runs nothing that the repository names.

        Files that git ignores, symbolic links, binary files and files over 10 MB are not looked into; the last are
        said in `unread`. `tell` hears what is looked through, how many parts are done, and of how many. No secret is
        kept by the memory: only where it stood, and its fingerprint. Raises `Refusal` (`scan.path`,
        `source.git-timeout`).
        """
        ...
