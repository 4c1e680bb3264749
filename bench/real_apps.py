"""Deploys real repositories as they are, with no manifest, and says what came of each.

    python -m bench.real_apps FOLDER [--only OWNER/NAME …] [--write docs/real-apps.md]

The repositories, their commits and what is expected of each are in bench/real_apps.toml; none of their code is here.
FOLDER holds checkouts by name (`NAME` or `OWNER+NAME`); what it lacks is fetched from GitHub into it. Results are kept
in FOLDER/results.json, so that a run can be taken up again; `--write` writes the page from all that are there.

For each, in a home of its own: deploy the commit, make the smoke request through the proxy, deploy again with one more
file and roll back, both while strict clients ask without a pause, then down and stop. Exits 1 when anything of this
did not go as expected.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.journeys.world import World, make_world

from bench.remedies import Followed, follow_all, followed, section
from bench.report import machine, table
from underway.load.strict import StrictLoad

CLIENTS = 8
PAUSE_S = 0.02
DEPLOY_S = 900
LIVE = (
    "repository",
    "commit",
    "detected",
    "smoke request",
    "first deploy",
    "second deploy",
    "served / failed",
    "rollback",
    "asked of the user",
    "load",
)
NOT_LIVE = ("repository", "commit", "detected", "what came", "what its owner is told")

TABLE = Path(__file__).with_name("real_apps.toml")


@dataclass(frozen=True)
class Expected:
    """What is known about one repository before it is deployed."""

    repo: str
    commit: str
    path: str = "/"
    text: str = ""
    status: int = 200
    env: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    failed: str = ""
    first: str = ""
    round: int = 1

    @property
    def name(self) -> str:
        return self.repo.rpartition("/")[2]


@dataclass
class Outcome:
    """What came of one checkout. `wrong` is empty when all went as expected."""

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
    broken: str = ""
    first: str = ""
    wrong: str = ""
    load: float = 0.0

    @property
    def is_live(self) -> bool:
        return not self.refused and not self.broken

    def row(self) -> list[str]:
        """Its line in the table of those that are live, or in that of those that are not."""
        head = [self.repo, f"`{self.commit}`", self.detected]
        if not self.is_live:
            reason = (self.refused or self.broken).partition("\n")[0].replace("|", "\\|")
            return [*head, f"{'failed' if self.broken else 'refused'} after {self.first_s:.1f} s", reason]
        return [
            *head,
            self.smoke.replace("|", "\\|"),
            f"{self.first_s:.1f} s",
            f"{self.second_s:.1f} s",
            f"{self.served:,} / {self.failed}",
            f"{self.rollback_s:.2f} s" if self.rollback_s else "done",
            self.asked,
            f"{self.load:.1f}" if self.load else "",
        ]


class Wrong(Exception):
    """Something did not go as expected; the argument says what."""


def expectations() -> list[Expected]:
    return [Expected(repo=repo, **told) for repo, told in tomllib.loads(TABLE.read_text()).items()]


def checkout(folder: Path, expected: Expected, to: Path) -> None:
    """The repository at its commit, in `to`. Raises `Wrong` when it cannot be had."""
    owner, _, name = expected.repo.partition("/")
    places = [folder / f"{owner}+{name}", folder / name]
    source = next((place for place in places if _git(place, "cat-file", "-e", f"{expected.commit}^{{commit}}")), None)
    if source is None:
        source = places[0]
        source.mkdir(parents=True, exist_ok=True)
        address = f"https://github.com/{expected.repo}.git"
        if not _git(source, "init", "-q") or not _git(source, "fetch", "-q", "--depth", "1", address, expected.commit):
            raise Wrong(f"no checkout of it is in {folder}, and GitHub does not give {expected.commit}")
    if not _git(to.parent, "clone", "-q", "--no-checkout", str(source), str(to)) or not _git(
        to, "checkout", "-q", "--detach", expected.commit
    ):
        raise Wrong(f"{source} cannot be checked out at {expected.commit}")


def _git(folder: Path, *words: str) -> bool:
    if not folder.is_dir():
        return False
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False).returncode == 0


def try_out(folder: Path, expected: Expected) -> Outcome:
    """The whole story of one repository, in a home of its own that is gone afterwards."""
    outcome = Outcome(repo=expected.repo, commit=expected.commit[:7], first=expected.first, load=os.getloadavg()[0])
    world = make_world()
    try:
        path = world.root / "apps" / expected.name
        path.parent.mkdir()
        checkout(folder, expected, path)
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
    outcome.detected = await asyncio.to_thread(_detected, world, path)
    if expected.refused:
        said = _said(first)
        if first["outcome"] != "refused" or expected.refused not in said:
            raise Wrong(f"not refused with {expected.refused!r}: {first['outcome']}: {said}")
        outcome.refused = said
        return
    if expected.failed:
        said = _said(first)
        if first["outcome"] != "failed" or expected.failed not in said:
            raise Wrong(f"not failed with {expected.failed!r}: {first['outcome']}: {said}")
        outcome.broken = next(line.strip(" |") for line in said.splitlines() if expected.failed in line)
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
        second = await asyncio.to_thread(world.deploy, path, "--yes", "--strategy", "blue-green", timeout=DEPLOY_S)
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
    words += ["migrations"] if "migrate" in draft else []
    words += [f"process {name}" for name in draft.get("processes", {}) if name != "web"]
    return ", ".join(word for word in words if word)


def _said(last: Mapping[str, object]) -> str:
    """What the last event of a deploy says went wrong."""
    problems = last.get("problems")
    told = [f"{p['where']}: {p['why']}" for p in problems] if isinstance(problems, list) else []
    tail = next((e["log_tail"][-12:] for e in last.get("events", ()) if e.get("log_tail")), [])
    return "; ".join(told or [str(last.get("because") or last)]) + "".join(f"\n      | {line}" for line in tail)


def _rounds(outcomes: Sequence[Outcome], expected: Sequence[Expected]) -> str:
    """How each round of repositories that were taken unseen ended at the first try, and ends now."""
    live = {o.repo for o in outcomes if o.is_live}
    ended = {o.repo for o in outcomes}
    rows = []
    for number in sorted({e.round for e in expected if e.first}):
        of = [e for e in expected if e.first and e.round == number]
        count = [str(sum(e.first == kind for e in of)) for kind in ("live", "refused", "told", "failed")]
        now = [sum(e.repo in live for e in of), sum(e.repo in ended - live for e in of)]
        rows.append([str(number), str(len(of)), *count, *map(str, now), str(len(of) - sum(now))])
    head = (
        "round",
        "repositories",
        "live",
        "refused",
        "told",
        "failed",
        "live now",
        "refused or failed now",
        "not run to its end",
    )
    return table(head, rows)


def page(outcomes: Sequence[Outcome], left: Sequence[str], on: str, expected: Sequence[Expected]) -> str:
    """The whole page. `left` are those of the table without a run that ended as it should."""
    new, known = [o for o in outcomes if o.first], [o for o in outcomes if not o.first]
    return f"""# Real applications

Public repositories that know nothing of Underway, each deployed as it is with no manifest, in a home of its own:

1. `underway deploy` of a fresh checkout, with nothing in any cache of its home ("first deploy", the whole command:
   packages downloaded, front end built, database made, migrated, started, checked, watched),
2. the smoke request through the proxy, which must have the status and the text that the table shows,
3. one more file, and the second deploy (`--strategy blue-green`: a canary would judge this load for five minutes),
   then `underway rollback`, while {CLIENTS} strict clients repeat the smoke request without a pause of more than
   {PAUSE_S * 1000:.0f} ms: no retries, any other answer is a failure,
4. the smoke request again, `underway down`.

{_live(outcomes)} of {len(outcomes)} came up. A repository that is refused or fails is here too, with
what its owner is told. "load" is the load average of the machine when the repository's turn began: other work runs on
it, so the seconds are noisy and the counts are not. "done" stands for a rollback that was not timed.

`python -m bench.real_apps FOLDER --write docs/real-apps.md` wrote this page from the results of its runs; FOLDER holds
checkouts, and what it lacks is fetched. The commits are in `bench/real_apps.toml`. {on}
Of the repositories there, these are not on the page, since none of their runs has ended as it should yet:
{", ".join(left) or "none"}.

## Repositories that nothing was written for

They were taken without a look inside, in rounds; "live", "refused", "told" and "failed" are the first try of each,
before anything was changed for it. "refused" and "told" ended, before or in the deploy, for a reason of the
repository's own, its owner's or the machine's, which the message said truly ("told" since round 7). An app that came up
and was not what its visitors should see counts as failed, and so does any reason that was not the true one. What a
round taught was then built in general, and the next one was taken.

{_rounds(outcomes, expected)}

{_table(new, is_live=True)}

Not live:

{_table(new, is_live=False)}

## Repositories that detection was written with

{_table(known, is_live=True)}

Not live:

{_table(known, is_live=False)}

{section()}"""


def _live(outcomes: Sequence[Outcome]) -> int:
    return sum(o.is_live for o in outcomes)


def _table(outcomes: Sequence[Outcome], *, is_live: bool) -> str:
    """Of those that are live, or of those that are not. What was taken unseen says how it ended as it came."""
    rows = [[*o.row()[:2], *([o.first] if o.first else []), *o.row()[2:]] for o in outcomes if o.is_live == is_live]
    head = LIVE if is_live else NOT_LIVE
    unseen = ["as it came"] if any(o.first for o in outcomes) else []
    return table([*head[:2], *unseen, *head[2:]], rows)


def _follow(folder: Path, only: Sequence[str]) -> int:
    """Do what the first screens ask for; 1 when one of them ends otherwise than bench/remedies.toml has it."""
    expected = {e.repo: e for e in expectations()}

    def put(one: Followed, path: Path) -> None:
        checkout(folder, expected[one.repo], path)

    return 1 if follow_all([one for one in followed() if not only or one.repo in only], put, _said) else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", action="append", default=[], metavar="OWNER/NAME")
    parser.add_argument("--again", action="store_true", help="deploy also what is in FOLDER/results.json already")
    parser.add_argument(
        "--only-write", action="store_true", help="deploy nothing: write what is in FOLDER/results.json"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page to FILE")
    parser.add_argument("--remedies", action="store_true", help="follow the remedies of bench/remedies.toml instead")
    asked = parser.parse_args()
    if asked.remedies:
        return _follow(asked.folder, asked.only)
    on = machine()
    kept = asked.folder / "results.json"
    known = {o["repo"]: Outcome(**o) for o in json.loads(kept.read_text())} if kept.exists() else {}
    chosen = [e for e in expectations() if not asked.only or e.repo in asked.only]
    for expected in [] if asked.only_write else chosen:
        before = known.get(expected.repo)
        if before is None or before.wrong or asked.again or asked.only:
            outcome = known[expected.repo] = try_out(asked.folder, expected)
            kept.write_text(json.dumps([asdict(o) for o in known.values()], indent=1))
            print(f"{'WRONG' if outcome.wrong else 'as expected'} | {' | '.join(outcome.row())}", flush=True)
            if outcome.wrong:
                print(f"    {outcome.wrong}", flush=True)
    outcomes = [known[e.repo] for e in chosen if e.repo in known]
    good = [o for o in outcomes if not o.wrong]
    if asked.write is not None:
        known_good = {o.repo for o in good}
        asked.write.write_text(page(good, [e.repo for e in chosen if e.repo not in known_good], on, chosen))
    print(f"{len(good)} as expected, {len(outcomes) - len(good)} not")
    return 0 if len(good) == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
