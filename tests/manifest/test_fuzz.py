"""Whatever the text is: a manifest or located problems, never a traceback."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from underway.manifest.keys import Key, declared
from underway.manifest.model import Manifest
from underway.manifest.read import read_manifest
from underway.manifest.reference import EXAMPLE
from underway.manifest.write import render
from underway.terms.problem import Problem, Refusal

LOCATED = re.compile(r"underway\.toml:([1-9]\d*)( \S.*)?")
FUZZ = settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))


def check(text: str) -> None:
    manifest, problems = attempt(text)
    if manifest is not None:
        assert read_manifest(render(manifest)) == manifest
        return
    assert problems
    for problem in problems:
        located = LOCATED.fullmatch(problem.where)
        assert located is not None, problem.where
        assert int(located[1]) <= text.count("\n") + 1
        assert problem.why
        assert problem.remedy
        assert len(problem.where) < 600
        assert len(problem.why) < 600
        for told in (problem.where, problem.why, problem.remedy):
            assert told.isprintable()
            assert told.encode()


def attempt(text: str) -> tuple[Manifest | None, tuple[Problem, ...]]:
    try:
        return read_manifest(text), ()
    except Refusal as refused:
        return None, refused.problems


@FUZZ
@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape"))))
def test_any_text(text: str) -> None:
    check(text)


@FUZZ
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(EXAMPLE)),
            st.integers(0, 12),
            st.one_of(
                st.text(max_size=4), st.sampled_from(['"', "'", "[", "]", "{", "}", "=", ".", "\n", "\0", "#", '"""'])
            ),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_good_manifest_with_damage(damage: list[tuple[int, int, str]]) -> None:
    text = EXAMPLE
    for at, cut, put in damage:
        text = text[:at] + put + text[at + cut :]
    check(text)


VALUES = st.sampled_from(
    [
        "1", "-1", "0", "1.5", "nan", "inf", "true", '""', '"x"', '"../x"', '"/x"', "[]", "[[]]", "[1, 'a']", "{}",
        "{a = 1}", "2024-01-01", "07:32:00", "1979-05-27T07:32:00Z", '"5%"', '"5s"', '"1GB"', "9223372036854775808",
        "0x" + "f" * 4000, '"\\u0000"', '"""\nlines\n"""', "'''\n'''", "[{a = 1}, {b = 2}]", '["x", "x"]',
        '"${hosts}"', '"\u202e"', '"☃"',
    ]
)  # fmt: skip


def key_paths(of: type[Any] = Manifest, path: str = "") -> list[str]:
    paths = []
    for each in declared(of):
        here = f"{path}{each.name}"
        paths.append(here)
        if not isinstance(each.key, Key):
            if each.key.is_list:
                continue
            inner = f"{here}.web." if each.key.names is not None else f"{here}."
            paths += key_paths(each.key.of, inner)
    return paths


@FUZZ
@given(
    st.lists(st.tuples(st.sampled_from(key_paths()), VALUES), min_size=1, max_size=6, unique_by=lambda pair: pair[0])
)
def test_any_key_with_any_type(pairs: list[tuple[str, str]]) -> None:
    check('app = "a"\n' + "\n".join(f"{path} = {value}" for path, value in pairs if path != "app"))


def test_a_problem_of_a_swapped_type_stands_on_its_own_line() -> None:
    """Each line of the example in turn gets a date, which no key takes."""
    lines = EXAMPLE.splitlines()
    tried = 0
    for number, line in enumerate(lines):
        if "=" not in line:
            continue
        name = line.split(" = ")[0]
        text = "\n".join([*lines[:number], f"{name} = 2024-01-01", *lines[number + 1 :]])
        tomllib.loads(text)
        _, problems = attempt(text)
        assert problems[0].where.startswith(f"underway.toml:{number + 1} "), line
        tried += 1
    assert tried == sum("=" in line for line in lines)
