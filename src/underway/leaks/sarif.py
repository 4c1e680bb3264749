"""Leaks as SARIF 2.1.0 (OASIS), which code hosts show beside the line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from underway.leaks.remedy import remedy
from underway.terms.leak import Leak, Weight

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(leaks: Sequence[Leak], version: str) -> dict[str, Any]:
    """One run with one result per leak. The secret is in none of it."""
    rules = {leak.rule: leak.says for leak in leaks}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "underway env scan",
                        "version": version,
                        "rules": [
                            {"id": rule, "shortDescription": {"text": says}} for rule, says in sorted(rules.items())
                        ],
                    }
                },
                "results": [_result(leak) for leak in leaks],
            }
        ],
    }


def _result(leak: Leak) -> dict[str, Any]:
    place = f" in commit {leak.commit[:12]}" if leak.commit else ""
    return {
        "ruleId": leak.rule,
        "level": "error" if leak.weight is Weight.LEAK else "note",
        "message": {"text": f"{leak.says}{place}: {leak.because}. {remedy(leak).rotate}."},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(leak.path, safe="/")},
                    "region": {"startLine": max(1, leak.line), "startColumn": max(1, leak.column)},
                }
            }
        ],
        "partialFingerprints": {"secret/v1": leak.fingerprint},
    }
