"""A `.env` file as a place."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.drivers.places.file import FilePlace, quoted
from underway.terms.place import read_address
from underway.terms.problem import Failure
from underway.terms.secret import Secret


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def place(path: Path) -> FilePlace:
    return FilePlace(read_address(f"file:{path.name}"), path.parent)


def put(path: Path, **values: str) -> list[str]:
    told = asyncio.run(place(path).set({name: Secret(value) for name, value in values.items()}))
    return [each.name for each in told if each.problem]


def test_comments_and_order_stay(path: Path) -> None:
    path.write_text("# who\nexport A=1\n\nB='two' # why\nC=3\nB=again\n")
    assert put(path, B="new value", D="4") == []
    asyncio.run(place(path).unset(["C", "NEVER"]))
    assert path.read_text() == "# who\nexport A=1\n\nB='new value'\nD=4\n"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "value",
    [
        "",
        "plain",
        "two words",
        "it's",
        'say "hi"',
        "a\nb\n",
        "back\\slash",
        "$HOME and ${X}",
        "#no",
        "ü €",
        " x ",
        "a=b",
        "\t",
    ],
)
def test_values_come_back_from_the_file_and_in_a_shell(path: Path, value: str) -> None:
    assert put(path, V=value) == []
    assert asyncio.run(place(path).held())["V"].value == Secret(value)
    assert dotenv_values(path, interpolate=False)["V"] == value
    shell = subprocess.run(["sh", "-c", f'. {path} && printf %s "$V"'], capture_output=True, text=True, check=True)
    assert shell.stdout == value


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=40))
def test_any_value_is_read_back_the_same_or_refused(value: str) -> None:
    try:
        line = quoted(value)
    except ValueError:
        return
    assert dotenv_values(stream=io.StringIO(f"A=1\nV={line}\nB=2\n"), interpolate=False) == {
        "A": "1",
        "V": value,
        "B": "2",
    }


def test_a_value_that_no_form_serves_is_said_and_the_rest_is_set(path: Path) -> None:
    assert put(path, GOOD="1", BAD="it's $5", NUL="a\0b") == ["BAD", "NUL"]
    assert path.read_text() == "GOOD=1\n"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "nul", "latin"])
def test_what_is_no_env_file_is_refused(path: Path, kind: str) -> None:
    match kind:
        case "link":
            path.symlink_to("/etc/passwd")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "nul":
            path.write_bytes(b"A=\0")
        case _:
            path.write_bytes(b"A=\xff\xfe")
    with pytest.raises(Failure) as failed:
        asyncio.run(place(path).held())
    assert failed.value.problem.code == "place.refused"
    assert put(path, A="1") == ["A"]


def test_many_writers_lose_nothing(path: Path) -> None:
    code = (
        "import asyncio,sys;from pathlib import Path;from underway.drivers.places.file import FilePlace;"
        "from underway.terms.place import read_address as r;from underway.terms.secret import Secret as S;"
        "p=Path(sys.argv[1]);asyncio.run(FilePlace(r('file:'+p.name),p.parent).set({sys.argv[2]:S('v')}))"
    )
    import sys

    running = [subprocess.Popen([sys.executable, "-c", code, str(path), f"N{number}"]) for number in range(8)]
    assert [each.wait() for each in running] == [0] * 8
    assert len(asyncio.run(place(path).held())) == 8
