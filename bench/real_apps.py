"""Deploys checkouts of real repositories as they are, with no manifest, and says what came of each.

    python -m bench.real_apps FOLDER [--only NAME …] [--write docs/real-apps.md]

FOLDER holds one checkout per folder, and may hold an `expect.toml` with a table for each:

    [shop]
    repo = "someone/shop"              # as the table names it
    kind = "FastAPI, PostgreSQL"
    path = "/api/items"                # the smoke request; "/" by default
    text = "[]"                        # what its answer must contain
    status = 200
    env = {STRIPE_KEY = "sk_test_1"}   # what only the owner can know; asked for, so it is counted as asked
    refused = "index host"             # the deploy must be refused with this text, instead of all above

For each, in a home of its own: deploy a copy, make the smoke request through the proxy, deploy again with one more
file and roll back, both while strict clients ask without a pause, then down and stop. Exits 1 when anything of this
did not go as expected.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.journeys.world import World, make_world

from bench.report import machine, table
from underway.load.strict import StrictLoad

CLIENTS = 8
PAUSE_S = 0.02
DEPLOY_S = 900
HEAD = (
    "repository",
    "commit",
    "detected",
    "smoke request",
    "first deploy",
    "second deploy",
    "served / failed",
    "rollback",
    "asked of the user",
)


@dataclass(frozen=True)
class Expected:
    """What is known about one checkout before it is deployed."""

    name: str
    repo: str = ""
    kind: str = ""
    path: str = "/"
    text: str = ""
    status: int = 200
    env: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""


@dataclass
class Outcome:
    """What came of one checkout. `wrong` is empty when all went as expected."""

    name: str
    repo: str
    commit: str
    detected: str = ""
    smoke: str = ""
    first_s: float = 0.0
    second_s: float = 0.0
    served: int = 0
    failed: int = 0
    rollback_s: float = 0.0
    asked: str = "nothing"
    refused: str = ""
    wrong: str = ""

    def row(self) -> list[str]:
        head = [self.repo, f"`{self.commit}`", self.detected]
        if self.refused:
            return [*head, "", f"refused after {self.first_s:.1f} s", "", "", "", self.refused]
        return [
            *head,
            self.smoke,
            f"{self.first_s:.1f} s",
            f"{self.second_s:.1f} s",
            f"{self.served:,} / {self.failed}",
            f"{self.rollback_s:.2f} s",
            self.asked,
        ]


class Wrong(Exception):
    """Something did not go as expected; the argument says what."""


def expectations(folder: Path) -> dict[str, Expected]:
    file = folder / "expect.toml"
    told = tomllib.loads(file.read_text()) if file.exists() else {}
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return {name: Expected(name=name, **told.get(name, {})) for name in names}


def commit_of(path: Path) -> str:
    done = subprocess.run(
        ["git", "-C", str(path), "log", "-1", "--format=%h of %cs"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "none"


def try_out(source: Path, expected: Expected) -> Outcome:
    """The whole story of one checkout, in a home of its own that is gone afterwards."""
    outcome = Outcome(name=expected.name, repo=expected.repo or expected.name, commit=commit_of(source))
    world = make_world()
    try:
        path = world.root / "apps" / expected.name
        shutil.copytree(source, path, symlinks=True)
        if expected.env:
            lines = [f'{name} = "{value}"' for name, value in expected.env.items()]
            (path / "underway.toml").write_text("\n".join(["manifest = 1", "[env]", *lines, ""]))
            outcome.asked = ", ".join(f"`{name}`" for name in expected.env)
        asyncio.run(_story(world, path, expected, outcome))
    except Wrong as wrong:
        outcome.wrong = str(wrong)
    except (OSError, subprocess.TimeoutExpired, TimeoutError) as error:
        outcome.wrong = f"{type(error).__name__}: {error}"
    finally:
        try:
            world.close()
        except AssertionError as left:
            outcome.wrong = f"{outcome.wrong}; {left}".strip("; ")
    return outcome


async def _story(world: World, path: Path, expected: Expected, outcome: Outcome) -> None:
    began = time.perf_counter()
    first = await asyncio.to_thread(world.deploy, path, "--yes", timeout=DEPLOY_S)
    outcome.first_s = time.perf_counter() - began
    outcome.detected = await asyncio.to_thread(_detected, world, path) or expected.kind
    if expected.refused:
        said = _said(first)
        if first["outcome"] != "refused" or expected.refused not in said:
            raise Wrong(f"not refused with {expected.refused!r}: {first['outcome']}: {said}")
        outcome.refused = said
        return
    if first["outcome"] != "live":
        raise Wrong(f"first deploy {first['outcome']}: {_said(first)}")
    app = first["app"]
    _smoke(world, app, expected)
    outcome.smoke = f"`{expected.path}`: {expected.status}" + (f", “{expected.text}”" if expected.text else "")
    async with StrictLoad(
        world.port,
        f"{app}.localhost",
        path=expected.path,
        clients=CLIENTS,
        pause_s=PAUSE_S,
        is_good=lambda answer: answer.status == expected.status and expected.text.encode() in answer.body,
    ) as load:
        await load.reaches(CLIENTS)
        (path / "one-more-file.txt").write_text("Makes the next release another one.\n")
        began = time.perf_counter()
        second = await asyncio.to_thread(world.deploy, path, "--yes", timeout=DEPLOY_S)
        outcome.second_s = time.perf_counter() - began
        if second["outcome"] != "live" or second["release"] == first["release"]:
            raise Wrong(f"second deploy {second['outcome']}: {_said(second)}")
        began = time.perf_counter()
        back = await asyncio.to_thread(world.run, "rollback", app, "--json")
        outcome.rollback_s = time.perf_counter() - began
        if back.returncode != 0:
            raise Wrong(f"rollback: exit {back.returncode}: {back.stdout[-300:]}{back.stderr[-300:]}")
        await asyncio.sleep(0.5)
    outcome.served, outcome.failed = load.tally.served, load.tally.failures
    if load.tally.failed:
        raise Wrong(load.tally.says())
    if world.status(app)["live"] != first["release"]:
        raise Wrong("the first release is not live after the rollback")
    _smoke(world, app, expected)
    down = await asyncio.to_thread(world.run, "down", app, "--yes")
    if down.returncode != 0:
        raise Wrong(f"down: exit {down.returncode}: {down.stderr[-300:]}")


def _smoke(world: World, app: str, expected: Expected) -> None:
    answer = world.ask(expected.path, app=app, timeout=60)
    if answer.status != expected.status or expected.text not in answer.text:
        raise Wrong(f"{expected.path} answered {answer.status}: {answer.text[:300]!r}")


def _detected(world: World, path: Path) -> str:
    """The stack and what the draft of the manifest has, in a few words."""
    done = world.run("deploy", path, "--dry-run", "--json")
    if done.returncode != 0:
        return ""
    plan = json.loads(done.stdout.splitlines()[-1])
    stack = next((c["says"].partition(": ")[0] for c in plan["claims"] if c["about"] in ("stack", "static")), "")
    draft = tomllib.loads(plan["manifest"])
    build, services = draft.get("build", {}), draft.get("services", {})
    words = [stack, *(build[kind].get("manager", "npm") for kind in ("python", "node") if kind in build)]
    words += [{"postgres": "PostgreSQL", "redis": "Redis"}[name] for name in services]
    words += [f"migrations by `{draft['migrate']['command']}`"] if "migrate" in draft else []
    words += [f"process {name}" for name in draft.get("processes", {}) if name != "web"]
    return ", ".join(word for word in words if word)


def _said(last: Mapping[str, object]) -> str:
    """What the last event of a deploy says went wrong."""
    problems = last.get("problems")
    told = [f"{p['where']}: {p['why']}" for p in problems] if isinstance(problems, list) else []
    tail = next((e["log_tail"][-12:] for e in last.get("events", ()) if e.get("log_tail")), [])  # type: ignore[attr-defined]
    return "; ".join(told or [str(last.get("because") or last)]) + "".join(f"\n      | {line}" for line in tail)


def page(outcomes: Sequence[Outcome], on: str) -> str:
    return f"""# Real applications

Public repositories that know nothing of Underway, each deployed as it is with no manifest, in a home of its own:

1. `underway deploy` of a fresh checkout, with nothing in any cache ("first deploy", the whole command: packages
   downloaded, front end built, database made, migrated, started, checked, watched),
2. the smoke request through the proxy, which must have the status and the text that the table shows,
3. one more file, and the second deploy, then `underway rollback`, while {CLIENTS} strict clients repeat the smoke
   request without a pause of more than {PAUSE_S * 1000:.0f} ms: no retries, any other answer is a failure,
4. the smoke request again, `underway down`.

`python -m bench.real_apps FOLDER --write docs/real-apps.md` wrote this page from a folder of checkouts.
{on}

{table(HEAD, [o.row() for o in outcomes])}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table to FILE")
    asked = parser.parse_args()
    on = machine()
    outcomes = []
    for name, expected in expectations(asked.folder).items():
        if asked.only and name not in asked.only:
            continue
        outcome = try_out(asked.folder / name, expected)
        outcomes.append(outcome)
        print(f"{'WRONG' if outcome.wrong else 'as expected'} | {' | '.join(outcome.row())}", flush=True)
        if outcome.wrong:
            print(f"    {outcome.wrong}", flush=True)
    good = [o for o in outcomes if not o.wrong]
    if asked.write is not None:
        asked.write.write_text(page(good, on))
    print(f"{len(good)} as expected, {len(outcomes) - len(good)} not")
    return 0 if len(good) == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
