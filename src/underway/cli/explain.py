from __future__ import annotations

from pathlib import Path

import click

from underway.cli.client import connect, of_app
from underway.cli.render.terminal import Terminal, print_json
from underway.flows.explain import Explanation
from underway.terms.problem import Problem, Refusal

_PNG_TIMES = 2
"""A bitmap has twice the pixels: it is looked at on screens that show two for one."""


@click.command()
@click.argument("app")
@click.argument("release", required=False, default="")
@click.option(
    "--picture", type=click.Path(path_type=Path), help="Draw both releases over time into FILE.svg or FILE.png."
)
@click.option("--width", default=760, type=click.IntRange(320, 4000), help="Of the picture, in pixels.")
@click.option("--dark", is_flag=True, help="Draw on a dark ground (an SVG follows its reader by itself).")
@click.option("--json", "is_json", is_flag=True, help="The same as JSON, with the evidence over time.")
def explain(app: str, release: str, picture: Path | None, width: int, dark: bool, is_json: bool) -> None:
    """Say why RELEASE of APP was judged as it was; without RELEASE the one that was judged last.

    The guard is asked again about the evidence as it was, and both releases are counted again in the access log, where
    they are still there.
    """
    if picture is not None and picture.suffix.lower() not in (".svg", ".png"):
        raise Refusal([_unknown_kind(picture)])
    found = connect().get(of_app(app, "/evidence"), Explanation, release=release)
    if picture is not None:
        _draw(found, picture, width, dark)
    if is_json:
        print_json(found)
        return
    from underway.cli.render.verdict import show_explanation

    show_explanation(found, Terminal())
    if picture is not None:
        Terminal().line(f"The picture is in {picture}.")


def _draw(found: Explanation, file: Path, width: int, is_dark: bool) -> None:
    """Raises `Refusal` (`picture.nothing`, `picture.file`)."""
    from underway.pictures.rollout import draw
    from underway.pictures.sheet import Theme

    if found.record is None or not found.record.moments:
        raise Refusal([_nothing(found)])
    is_png = file.suffix.lower() == ".png"
    theme = Theme.DARK if is_dark else Theme.LIGHT if is_png else Theme.AUTO
    svg = draw(found.app, found.record, found.verdict, found.judged_at, width=width, theme=theme)
    try:
        file.write_bytes(bitmap(svg) if is_png else svg.encode())
    except OSError as error:
        raise Refusal([_not_written(file, error)]) from error


def bitmap(svg: str) -> bytes:
    """The SVG as PNG, with a font of our own: a server may have none."""
    import font_lato  # type: ignore[import-untyped]  # two paths in a dictionary
    import resvg_py

    fonts = [font_lato.font_files["Lato"], font_lato.font_files["LatoBold"]]
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=_PNG_TIMES, skip_system_fonts=True, font_files=fonts))


def _unknown_kind(file: Path) -> Problem:
    return Problem(
        code="picture.kind",
        where=str(file),
        why="the picture's name says neither SVG nor PNG",
        remedy="let it end in .svg or .png",
    )


def _nothing(found: Explanation) -> Problem:
    return Problem(
        code="picture.nothing",
        where=f"{found.app} {found.release}",
        why="this release was not compared with another over time, so there is nothing to draw",
        remedy='draw a release that was rolled out step by step: strategy = "canary"',
        command=f"underway releases {found.app}",
    )


def _not_written(file: Path, error: OSError) -> Problem:
    return Problem(
        code="picture.file",
        where=str(file),
        why=f"it cannot be written: {error.strerror or error}",
        remedy="name a file in a folder that you may write to",
    )
