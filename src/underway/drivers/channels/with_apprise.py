"""Run as a program: reads {url, title, body} and lets apprise deliver it. Exit code 0 delivered, 1 not, 2 unknown."""

from __future__ import annotations

import json
import sys


def main() -> int:
    import apprise

    asked = json.load(sys.stdin)
    told = apprise.Apprise()
    if not told.add(asked["url"]):
        return 2
    return 0 if told.notify(title=asked["title"], body=asked["body"]) else 1


if __name__ == "__main__":
    sys.exit(main())
