"""`env scan` on this machine, with no agent needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from underway.drivers.leaks.search import FileLeakSearch
from underway.flows.scan import ScanReport, scan
from underway.terms.home import Home


def scanned(path: str, home: Home, *, with_history: bool, tell: Callable[[str, int, int], None]) -> ScanReport:
    """What is found below `path`. Raises `Refusal` as `flows.scan.scan` does."""
    today = date.today()  # noqa: DTZ011 - an entry of the allow file ends with its writer's day
    return scan(FileLeakSearch(home), path, with_history=with_history, today=today, tell=tell)
