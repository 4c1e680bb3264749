"""What people read can be typed and followed: every command exists as shown, every link leads somewhere."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tools.reference.command_line import EXIT_CODES
from tools.reference.source import read_source

from underway.cli.main import cli
from underway.journal.events.acts import ActKind
from underway.manifest.read import read_manifest
from underway.terms.outcome import Outcome

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples" / "learning" / "README.md"})
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASSIGNED = re.compile(r"[A-Z_]+=\S*")


def shown_commands(text: str) -> Iterator[tuple[str, bool]]:
    """The lines of code blocks that begin with underway, and inline code that does (marked: it may lack arguments)."""
    typed = [line for block in FENCE.findall(text) for line in block.splitlines()]
    named = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    for line, is_named in [*((each, False) for each in typed), *((each, True) for each in named)]:
        words = re.sub(r"‹[^›]*›", "X", line).strip().removeprefix("$ ").split()
        while words and ASSIGNED.fullmatch(words[0]):
            words = words[1:]
        if len(words) > 1 and words[0] in ("underway", "./underway"):
            yield " ".join(words), is_named


def refused(line: str, *, is_named: bool = False) -> str:
    """Why the command line would not take this, empty when it would."""
    text = re.split(r" [|>&]|;|\.\.\.|…", line.replace("[OPTIONS]", "").replace("COMMAND [ARGS]", ""))[0]
    words = shlex.split(text.replace("[", "").replace("]", ""), comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="underway")
    try:
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            if words[0] == "COMMAND":
                return ""
            found = command.get_command(context, words[0])
            if found is None:
                return f"there is no {words[0]}"
            command, words = found, words[1:]
        if not isinstance(command, click.Group) and not (is_named and not words):
            with command.make_context(command.name, words, parent=context):
                pass
        elif isinstance(command, click.Group) and words:
            known = {name for option in command.params for name in option.opts} | {"--help", "-h"}
            return "" if set(words) <= known else f"no option {words}"
    except click.exceptions.Exit:
        return ""
    except click.MissingParameter as error:  # `[OPTIONS]` stands for those that must be given, too
        return "" if "[OPTIONS]" in line and isinstance(error.param, click.Option) else error.format_message()
    except click.UsageError as error:
        return error.format_message()
    return ""


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def anchors(text: str) -> set[str]:
    return {slug(line.lstrip("#")) for line in FENCE.sub("", text).splitlines() if line.startswith("#")}


def links(text: str) -> Iterator[str]:
    bare = FENCE.sub("", text)
    yield from re.findall(r"(?<!\\)\]\(([^)\s]+)\)", bare)
    yield from re.findall(r"<img[^>]* src=\"([^\"]+)\"", bare)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_exists(page: Path) -> None:
    shown = shown_commands(page.read_text())
    wrong = {line: why for line, is_named in shown if (why := refused(line, is_named=is_named))}
    assert wrong == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for link in links(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text()), link


@pytest.mark.parametrize(
    "line",
    [
        "underway depoly .",
        "underway deploy --jsn",
        "./underway agent begin",
        "underway rollback",
        "underway --colour",
        "underway logs shop -n many",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    assert refused(line)


def test_the_readme_shows_the_two_commands_and_every_exit_code() -> None:
    text = (ROOT / "README.md").read_text()
    assert ("./underway demo", False) in set(shown_commands(text))
    assert re.search(r"^\./check$", text, re.MULTILINE)
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == {code for code, _ in EXIT_CODES}
    assert {code for code, _ in EXIT_CODES} >= {outcome.exit_code for outcome in Outcome}


def test_the_readme_names_every_command() -> None:
    named = re.findall(r"^\| `underway (\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(cli.list_commands(click.Context(cli)))


def test_the_architecture_page_has_the_layers_that_are_enforced() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    listed = re.search(r"^```layers\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = next(c["layers"] for c in config["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    assert listed
    assert listed[1].splitlines() == layers
    rooms = {room for layer in layers for room in layer.split(" | ")}
    assert rooms <= set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))


def test_every_outcome_and_state_of_a_release_is_a_word() -> None:
    page = (ROOT / "docs" / "words.md").read_text()
    for word in (*(f"`{outcome.value}`" for outcome in Outcome), "live", "warm", "kept", "failed", "pruned"):
        assert word in page
    for kind in ActKind:
        assert f"| {kind.value} |" in page


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "manifest.md"], ids=lambda page: page.name)
def test_every_manifest_shown_is_accepted(page: Path) -> None:
    shown = re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    for text in shown:
        assert read_manifest(text).app


def test_no_module_or_class_has_a_name_that_names_nothing() -> None:
    empty = re.compile(r"(?i)manager|helper|utils|common|^core$|deployer")
    for module in read_source().modules:
        classes = [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
        assert [name for name in (*module.path.parts[-2:], module.path.stem, *classes) if empty.search(name)] == []
