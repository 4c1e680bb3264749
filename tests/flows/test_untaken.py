"""What the repository has and a hand-written table leaves out is told, once."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from underway.flows.untaken import untaken_notes
from underway.manifest.build import BuildKeys, NodeBuild, PythonBuild
from underway.manifest.model import Manifest, Process

DRAFT = Manifest(
    app="shop",
    processes=MappingProxyType(
        {
            "web": Process(command="gunicorn shop.wsgi -b 127.0.0.1:$PORT"),
            "worker": Process(command="celery -A shop worker"),
            "beat": Process(command="celery -A shop beat"),
        }
    ),
    build=BuildKeys(python=PythonBuild(manager="uv"), node=NodeBuild(manager="npm", dir="frontend")),
)


def running(**commands: str) -> Manifest:
    processes = {name: Process(command=command) for name, command in commands.items()}
    return replace(DRAFT, processes=MappingProxyType(processes))


def test_a_process_that_a_written_table_leaves_out_is_named_with_its_command() -> None:
    told = untaken_notes(running(web="gunicorn shop.wsgi -w 4 -b 127.0.0.1:$PORT"), {"processes"}, DRAFT, None)
    assert ["celery -A shop worker" in told[0], "[processes.beat]" in told[1], len(told)] == [True, True, 2]
    told = untaken_notes(running(worker="celery -A shop worker"), {"processes"}, DRAFT, None)
    assert "gunicorn" in told[0], "who adds a worker by hand hears that the web process went"


def test_what_runs_under_another_name_is_no_loss() -> None:
    commands = {"web": "gunicorn shop.wsgi", "jobs": "celery -A shop worker -l info", "clock": "celery -A shop beat"}
    assert untaken_notes(running(**commands), {"processes"}, DRAFT, None) == []


def test_a_part_of_the_build_that_is_left_out_is_named() -> None:
    manifest = replace(DRAFT, build=BuildKeys(python=PythonBuild(manager="pip")))
    (told,) = untaken_notes(manifest, {"build"}, DRAFT, None)
    assert "npm installs in frontend" in told
    by_hand = replace(DRAFT, build=replace(manifest.build, commands=("npm --prefix frontend ci",)))
    assert untaken_notes(by_hand, {"build"}, DRAFT, None) == []


def test_nothing_is_told_of_what_nobody_wrote_nor_again_of_what_is_live() -> None:
    manifest = running(web="gunicorn shop.wsgi")
    assert untaken_notes(manifest, {"app", "env"}, DRAFT, None) == []
    assert untaken_notes(manifest, {"processes"}, DRAFT, manifest) == []
