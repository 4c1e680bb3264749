"""Repositories of many apps of which nothing says which one is meant: examples, courses, collections."""

from __future__ import annotations

from collections.abc import Iterable

from underway.detect.index import Index, folder_of
from underway.detect.model import Evidence, Notes

LEAST = 3
"""An API and its front end are two folders of one product; three apps side by side are a collection."""


def refuse_several(index: Index, chosen: str, others: Iterable[str], notes: Notes, *, is_declared: bool) -> bool:
    """Note the problem and return True when `chosen` is one of many apps in folders of their own.

    `others` are the folders of all apps of its kind; `is_declared` when the repository's own files start one.
    """
    if is_declared or not chosen:
        return False
    folders = sorted({folder for folder in others if folder} | {chosen})
    apart = [f for f in folders if not any(f != other and f.startswith(other + "/") for other in folders)]
    tops = {f.partition("/")[0] for f in apart}
    parents = {folder_of(f) for f in apart}
    if len(apart) < LEAST or (len(parents) > 1 and len(tops) < LEAST and len(apart) < 2 * LEAST):
        return False
    shown = ", ".join(apart[:8]) + (f" and {len(apart) - 8} more" if len(apart) > 8 else "")
    notes.problem(
        "detect.several-apps",
        Evidence(apart[0]),
        f"there are {len(apart)} apps here and nothing says which one is meant: {shown}",
        "deploy the folder of one; each is an app of its own",
        f"underway deploy {apart[0]}",
    )
    return True
