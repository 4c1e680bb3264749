"""The manifest that `underway init` writes."""

from __future__ import annotations

from underway.detect.model import Detection
from underway.manifest.write import render
from underway.terms.problem import Refusal

_HEAD = "Written by `underway init` from what the repository says. Every key: docs/manifest.md"


def init_text(detection: Detection) -> str:
    """The draft as a short manifest: only what differs from the defaults, each guess with its evidence.

    Raises `Refusal` when there is no draft.
    """
    if detection.manifest is None:
        raise Refusal(detection.problems)
    return render(detection.manifest, comments={**detection.comments, "": _HEAD})
