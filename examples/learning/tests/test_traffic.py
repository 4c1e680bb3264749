"""Families who play by themselves."""

import asyncio
import os
import subprocess
import sys

import pytest
from conftest import ROOT, Server

from traffic import Family, Heard, Step, Surprise, follow


def test_families_play_a_round(server: Server) -> None:
    words = [sys.executable, "traffic.py", server.url, "2"]
    done = subprocess.run(words, cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("10 letters, 8 stars") == 2


def test_an_answer_that_is_not_expected_ends_the_visit_and_is_told() -> None:
    asked: list[Step] = []

    async def answer(step: Step) -> Heard:
        asked.append(step)
        return Heard(200, {}, b"") if step.path == "/" else Heard(502, {}, b"nobody there")

    with pytest.raises(Surprise, match="POST /api/register: 502 instead of 201: b'nobody there'"):
        asyncio.run(follow(Family("ada@example.org").first_visit(), answer))
    assert [step.path for step in asked] == ["/", "/api/register"]
