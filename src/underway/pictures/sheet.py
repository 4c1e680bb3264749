"""A sheet to draw on: a few shapes of SVG, text that is escaped, colours by their meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Literal
from xml.sax.saxutils import escape

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Theme(Enum):
    """`auto` follows what the reader's screen prefers; a bitmap needs one of the others."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


# Okabe and Ito's palette, which the common kinds of colour blindness tell apart; lighter on dark ground
_COLOURS = {
    Theme.LIGHT: {
        "ground": "#ffffff",
        "ink": "#1b1f24",
        "faint": "#5f6871",
        "rule": "#e3e6ea",
        "new": "#d17a00",
        "old": "#0072b2",
        "bad": "#c23b00",
        "good": "#00805e",
    },
    Theme.DARK: {
        "ground": "#12161b",
        "ink": "#e8ebee",
        "faint": "#9aa4ae",
        "rule": "#2b323a",
        "new": "#f0a830",
        "old": "#56b4e9",
        "bad": "#ff7a45",
        "good": "#2ec79a",
    },
}
_FONT = "Lato, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
_WIDE, _NARROW, _BOLDER = 0.64, 0.36, 1.12
"""Widths of a letter in ems, of i, l, t and their like, and how much wider bold ones are: those of DejaVu Sans, the
widest font that a reader's `sans-serif` usually is."""


class Sheet:
    """What was drawn, in order. `colour` names are ground, ink, faint, rule, new, old, bad, good."""

    def __init__(self, width: float, theme: Theme) -> None:
        self.width = width
        self._theme = theme
        self._parts: list[str] = []

    def text(
        self,
        at: Point,
        text: str,
        *,
        size: float = 12,
        colour: str = "ink",
        bold: bool = False,
        anchor: Anchor = "start",
    ) -> None:
        weight = ' font-weight="700"' if bold else ""
        words = escape(_NOT_XML.sub("�", text))
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" font-size="{size:g}" class="{colour}"'
            f' text-anchor="{anchor}"{weight}>{words}</text>'
        )

    def line(self, one: Point, two: Point, *, colour: str = "rule", width: float = 1, dash: str = "") -> None:
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<line x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{two[0]:.1f}" y2="{two[1]:.1f}"'
            f' class="s-{colour}" stroke-width="{width:g}"{dashed}/>'
        )

    def path(self, points: Sequence[Point], *, colour: str, width: float = 2, dash: str = "") -> None:
        if len(points) == 1:
            points = [*points, (points[0][0] + 0.1, points[0][1])]
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<polyline points="{_points(points)}" fill="none" class="s-{colour}" stroke-width="{width:g}"'
            f' stroke-linejoin="round" stroke-linecap="round"{dashed}/>'
        )

    def area(self, points: Sequence[Point], *, colour: str, opacity: float = 0.18) -> None:
        self._parts.append(f'<polygon points="{_points(points)}" class="{colour}" fill-opacity="{opacity:g}"/>')

    def dot(self, at: Point, radius: float, *, colour: str) -> None:
        self._parts.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:g}" class="{colour}"/>')

    def svg(self, height: float, title: str) -> str:
        """The whole picture; `title` is what a screen reader says."""
        light = Theme.DARK if self._theme is Theme.DARK else Theme.LIGHT
        style = _style(light)
        if self._theme is Theme.AUTO:
            style += "@media (prefers-color-scheme: dark){" + _style(Theme.DARK) + "}"
        said = escape(_NOT_XML.sub("�", title))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" height="{height:g}"'
            f' viewBox="0 0 {self.width:g} {height:g}" role="img" font-family="{_FONT}"><title>{said}</title>'
            f'<style>{style}</style><rect width="100%" height="100%" class="ground"/>{"".join(self._parts)}</svg>\n'
        )


def _style(theme: Theme) -> str:
    return "".join(f".{name}{{fill:{c}}}.s-{name}{{stroke:{c}}}" for name, c in _COLOURS[theme].items())


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide the text is, rather more than less."""
    ems = sum(_NARROW if letter in "iljtfrI.,:;'|!()[] " else _WIDE for letter in text)
    return size * ems * (_BOLDER if bold else 1.0)


def wrap(text: str, size: float, width: float, most: int) -> list[str]:
    """The text in at most `most` lines that fit `width`; what is left out ends in an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    lines = [cut(line, size, width) for line in lines]
    if len(lines) > most:
        lines[most - 1] = cut(f"{lines[most - 1]} …", size, width)
    return lines[:most]


def cut(text: str, size: float, width: float) -> str:
    """The text, shortened to fit."""
    if width_of(text, size) <= width:
        return text
    while text and width_of(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"
