"""Tables and pictures as one page (HTML that needs nothing else, or Markdown with the pictures beside it). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from underway.guard.simulate.charts import STYLE
from underway.guard.simulate.tables import Table, markdown

LIGHT = "--ink:#1b1f24;--faint:#667079;--line:#dfe3e7;--back:#fff;--bad:#c62828;--band:#f5f7f9"
DARK = "--ink:#e6e9ec;--faint:#98a2ab;--line:#343b42;--back:#14181c;--bad:#ff7b72;--band:#1c2126"
LIGHT_SERIES = "--s0:#0b63ce;--s1:#b45309;--s2:#15803d;--s3:#7c3aed;--s4:#64748b"
DARK_SERIES = "--s0:#6cb0ff;--s1:#f0a35e;--s2:#6fd08c;--s3:#bd9bff;--s4:#9fb0c3"
PAGE = """
* { box-sizing: border-box }
body { color: var(--ink); background: var(--back); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
       max-width: 74rem; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.5rem; line-height: 1.25 } h2 { font-size: 1.15rem; margin: 2.2rem 0 0.2rem }
p { max-width: 46rem; margin: 0.3rem 0 0.8rem } .small { color: var(--faint); font-size: 0.9rem }
code { background: var(--band); padding: 0.1em 0.3em; border-radius: 4px; overflow-wrap: anywhere }
.wide { overflow-x: auto; margin: 0.5rem 0 1rem }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 0.35rem 0.8rem 0.35rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top }
th { font-weight: 600 } td:first-child { min-width: 11rem } td + td { white-space: nowrap }
"""


@dataclass(frozen=True)
class Figure:
    """A picture (SVG) with its title and a sentence."""

    title: str
    says: str
    svg: str


@dataclass(frozen=True)
class Report:
    """What a page shows: a title, how it was made, then tables and pictures in order."""

    title: str
    says: str
    made_by: str
    parts: Sequence[Table | Figure] = field(default_factory=tuple)


def as_html(report: Report) -> str:
    body = [f"<h1>{escape(report.title)}</h1>", f"<p>{escape(report.says)}</p>"]
    body.append(f'<p class="small">Made by <code>{escape(report.made_by)}</code></p>')
    for part in report.parts:
        body.append(f"<h2>{escape(part.title.rstrip(',:'))}</h2><p>{_bold(part.says)}</p>")
        body.append(part.svg if isinstance(part, Figure) else _table(part))
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {DARK};{DARK_SERIES} }} }}"
    style = f":root {{ color-scheme: light dark; {LIGHT};{LIGHT_SERIES} }}{dark}{PAGE}{STYLE}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{style}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    rows = "".join("<tr>" + "".join(f"<td>{_bold(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _bold(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text))


def as_markdown(report: Report, picture_names: Sequence[str]) -> str:
    """Markdown whose pictures are the files `picture_names`, in order of the report's figures."""
    names = iter(picture_names)
    parts = [f"# {report.title}", report.says, f"Made by `{report.made_by}`."]
    for part in report.parts:
        if isinstance(part, Figure):
            parts.append(f"## {part.title.rstrip(',:')}\n\n{part.says}\n\n![{part.title}]({next(names)})")
        else:
            parts.append(markdown(part))
    return "\n\n".join(parts) + "\n"


def alone(svg: str) -> str:
    """A picture as a file of its own, with its colours."""
    style = f":root{{{LIGHT};{LIGHT_SERIES}}}@media (prefers-color-scheme:dark){{:root{{{DARK};{DARK_SERIES}}}}}{STYLE}"
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        ">", f"><style>{escape(style)}</style><rect width='100%' height='100%' fill='var(--back)'/>", 1
    )
