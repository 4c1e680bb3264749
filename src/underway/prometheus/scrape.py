"""Where a Prometheus finds the agent."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from underway.prometheus.rules import JOB


def scrape(address: str, token_file: str) -> dict[str, Any]:
    """A scrape configuration of the dashboard's `address`, with the token that is in `token_file`."""
    parts = urlsplit(address)
    return {
        "scrape_configs": [
            {
                "job_name": JOB,
                "scheme": parts.scheme,
                "metrics_path": "/metrics",
                "scrape_interval": "15s",
                "authorization": {"type": "Bearer", "credentials_file": token_file},
                "static_configs": [{"targets": [parts.netloc]}],
            }
        ]
    }
