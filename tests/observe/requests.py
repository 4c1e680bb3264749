"""Requests for tests."""

from __future__ import annotations

from typing import Any

from underway.terms.route import Request


def request(**fields: Any) -> Request:
    usual: dict[str, Any] = {
        "at": 1_700_000_000.0,
        "app": "shop",
        "release": "06fhaaaa",
        "slot": "a",
        "method": "GET",
        "path": "/",
        "status": 200,
        "took_ms": 20.0,
        "upstream_ms": 19.0,
        "upstream": "127.0.0.1:8001",
        "retries": 0,
        "client": "00000000000000aa",
        "is_monitor": False,
        "address": "00000000000000bb",
    }
    return Request(**{**usual, **fields})
