"""Write every generated page, or with `--check` fail when one is not what the source says."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tools.reference.api import api_md, openapi_json
from tools.reference.command_line import cli_md
from tools.reference.events import events_md
from tools.reference.hazards import hazards_md
from tools.reference.problems import problems_md
from tools.reference.runbook import runbook_md
from tools.reference.source import ROOT, read_source
from tools.reference.variables import environment_md

from underway.manifest.reference import reference_md

DOCS = ROOT / "docs"


def pages() -> Mapping[Path, str]:
    """Every generated page by its path. Raises `ValueError` for what is undocumented."""
    source = read_source()
    return {
        DOCS / "cli.md": cli_md(),
        DOCS / "manifest.md": reference_md(),
        DOCS / "events.md": events_md(),
        DOCS / "problems.md": problems_md(source),
        DOCS / "hazards.md": hazards_md(),
        DOCS / "runbook.md": runbook_md(),
        DOCS / "environment.md": environment_md(source),
        DOCS / "api.md": api_md(),
        DOCS / "openapi.json": openapi_json(),
    }


def drifted(wanted: Mapping[Path, str] | None = None) -> list[Path]:
    """The pages that are not what the source says. `wanted` are those of `pages`, where they were made already."""
    there = (pages() if wanted is None else wanted).items()
    return [path for path, text in there if not path.exists() or path.read_text(encoding="utf-8") != text]


def main() -> int:
    is_check = "--check" in sys.argv[1:]
    try:
        wanted = pages()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    found = drifted(wanted)
    if not is_check:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
    for path in found:
        print(f"{'not what the source says' if is_check else 'wrote'}: {path.relative_to(ROOT)}")
    return 1 if found and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
