"""The reference pages are what the source says, and leave nothing out."""

from __future__ import annotations

import ast

import pytest
from tools.reference import __main__ as reference
from tools.reference.command_line import cli_md, commands
from tools.reference.events import events_md, kinds, recorded, undocumented
from tools.reference.problems import CODE, FIELDS, Telling, problems_md, tellings
from tools.reference.source import Module, Source, read_source
from tools.reference.variables import documented, environment_md, names_read, own_names

from underway.agent.api import ENDPOINTS


@pytest.fixture(scope="module")
def source() -> Source:
    return read_source()


@pytest.fixture(scope="module")
def found(source: Source) -> list[Telling]:
    return tellings(source)


def written(text: str) -> Source:
    """A source of one file."""
    path = reference.ROOT / "src" / "underway" / "steps" / "made_up.py"
    return Source((Module(path, ast.parse(text)),))


def test_every_page_is_what_the_source_says() -> None:
    assert [path.name for path in reference.drifted()] == [], "run: make docs"


def test_every_code_is_a_room_and_what(found: list[Telling]) -> None:
    codes = {telling.code for telling in found}
    assert len(codes) > 80
    assert [code for code in codes if not CODE.fullmatch(code)] == []


def test_every_problem_says_where_why_and_what_mends_it(found: list[Telling]) -> None:
    for telling in found:
        for name in FIELDS[:3]:
            assert any(telling.texts.get(name, ())), f"{telling.code} in {telling.module} has no {name}"


def test_every_code_that_the_source_compares_is_told_somewhere(source: Source, found: list[Telling]) -> None:
    """`problem.code == "plan.stale"` must name a code that exists."""
    told = {telling.code for telling in found}
    for module in source.modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "code":
                named = [each for each in ast.walk(node) if isinstance(each, ast.Constant)]
                codes = {each.value for each in named if isinstance(each.value, str) and CODE.fullmatch(each.value)}
                assert codes <= told, f"{module.name}: {codes - told}"


def test_texts_are_found_through_the_functions_that_bring_them() -> None:
    page = problems_md(
        written(
            """
def stopped(release, code, is_late):
    why = "it took too long" if is_late else f"it ended with {code}"
    raise failed("web.stopped", release.id, f"{why}; nothing was lost")

def failed(code, where, why, remedy=""):
    return Failure(Problem(code=code, where=where, why=why, remedy=remedy or "deploy again"))
"""
        )
    )
    assert "## `web.stopped`" in page
    assert "- where: ‹id›" in page
    assert "- why: it took too long; nothing was lost" in page
    assert "- or: it ended with ‹code›; nothing was lost" in page
    assert "- remedy: deploy again" in page


@pytest.mark.parametrize(
    "code", ['"Web.Stopped"', '"stopped"', '"web.stopped.late"', '"web.is_late"', "code_of(release)"]
)
def test_a_code_of_another_shape_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match=r"not `room\.what`"):
        problems_md(written(f'raise Refusal([Problem(code={code}, where="x", why="y", remedy="z")])'))


def test_every_event_is_on_the_page_with_its_fields() -> None:
    page = events_md()
    assert list(undocumented()) == []
    for kind in kinds():
        _, found, rest = page.partition(f"### `{kind.__struct_config__.tag}`\n")
        assert found
        section = rest.partition("\n### ")[0]
        for field in kind.__struct_fields__:
            assert field in ("app", "act", "plan") or f"| `{field}` |" in section


def test_the_example_is_a_whole_deploy_of_todays_shape() -> None:
    lines = recorded()
    assert (lines[0]["event"], lines[-1]["event"]) == ("act_started", "finished")
    assert [line["seq"] for line in lines] == list(range(lines[0]["seq"], lines[-1]["seq"] + 1))
    assert {"app", "release", "outcome", "url", "duration_s", "steps", "requests"} <= lines[-1].keys()


def test_an_example_of_another_shape_is_noticed(tmp_path) -> None:
    path = tmp_path / "deploy.jsonl"
    path.write_text('{"event":"release_pruned","seq":1,"at":1.0,"app":"tiny","act":"","release":"a","gone":1}\n')
    with pytest.raises(ValueError, match="release_pruned"):
        recorded(path)


def test_every_variable_of_the_source_is_on_the_page(source: Source) -> None:
    assert {"UNDERWAY_HOME", "UNDERWAY_HTTP_PORT"} <= own_names(source)
    assert own_names(source) | names_read(source) <= documented()


def test_a_variable_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="UNDERWAY_COLOUR"):
        environment_md(written('colour = environ.get("UNDERWAY_COLOUR")'))


def test_every_command_and_option_is_on_the_page() -> None:
    page = cli_md()
    for words, command in commands():
        _, found, rest = page.partition(f" `underway {' '.join(words)}`\n\n")
        assert found
        section = rest.partition("\n#")[0]
        for option in command.params:
            if option.param_type_name == "option":
                assert f"`{option.opts[0]}`" in section


def test_every_endpoint_is_on_the_page() -> None:
    page = (reference.DOCS / "api.md").read_text()
    for endpoint in ENDPOINTS:
        assert f"## `{endpoint.method} {endpoint.path}`" in page
