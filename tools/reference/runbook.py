"""docs/runbook.md: every alert and what to do about it."""

from __future__ import annotations

from underway.alerts.runbook import STEPS


def runbook_md() -> str:
    """The page."""
    lines = [
        "# What to do about an alert",
        "",
        "<!-- Made by `python -m tools.reference` from src/underway/alerts/runbook.py. Edit that. -->",
        "",
        "Each message of an alert holds its step of this page, or the manifest's own words in its place:",
        "",
        "```toml",
        'app = "shop"',
        "",
        "[alerts]",
        'runbook = "https://wiki.example.com/shop"',
        "",
        "[[alerts.steps]]",
        'of = "errors.burst"',
        'do = "Look at the payment provider\'s page first, then roll back."',
        "```",
        "",
        "| alert | what to do |",
        "|---|---|",
        *(f"| `{code}` | {step} |" for code, step in STEPS.items()),
    ]
    return "\n".join(lines) + "\n"
