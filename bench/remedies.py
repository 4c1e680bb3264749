"""What became of refused repositories when their owner did exactly what the first screen says; see remedies.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.journeys.world import World, make_world

from bench.report import table

TABLE = Path(__file__).with_name("remedies.toml")
LIVE = "live"
_DEPLOY_S = 900


@dataclass(frozen=True)
class Followed:
    """One repository: what was asked, what was done as it was printed, and how the deploy ended then."""

    repo: str
    asked: str
    ends: str
    done: str = ""
    manifest: str = ""
    folder: str = ""
    edits: tuple[dict[str, str], ...] = ()
    path: str = "/"
    text: str = ""
    status: int = 200

    def row(self) -> list[str]:
        came = "it came up" if self.ends == LIVE else f"asked nothing more; its own: “{self.ends}”"
        return [self.repo, self.asked, self.done or "pasted the lines into underway.toml, with values", came]


def followed() -> list[Followed]:
    return [
        Followed(repo=repo, **{**told, "edits": tuple(told.get("edits", ()))})
        for repo, told in tomllib.loads(TABLE.read_text()).items()
    ]


def section() -> str:
    """The part of the page about them."""
    head = ("repository", "what was asked", "what was done", "what came then")
    return f"""## Remedies that were followed

What the first screen asks for was done exactly as it is printed, with plausible values, and the repository deployed
again. `python -m bench.real_apps FOLDER --remedies` does it again from `bench/remedies.toml`.

{table(head, [one.row() for one in followed()])}
"""


def follow(one: Followed, put: Callable[[Path], None], said: Callable[[dict[str, object]], str]) -> str:
    """Deploy it as `put` lays it out, with the remedy; what went otherwise than expected, empty for nothing."""
    world = make_world()
    try:
        path = world.root / "apps" / one.repo.rpartition("/")[2]
        path.parent.mkdir()
        put(path)
        for edit in one.edits:
            file = path / edit["path"]
            before = file.read_text()
            if edit["old"] not in before:
                return f"{edit['path']} has no such lines"
            file.write_text(before.replace(edit["old"], edit["new"]))
        if one.manifest:
            (path / "underway.toml").write_text(one.manifest.lstrip())
        last = world.deploy(path / one.folder, "--yes", timeout=_DEPLOY_S)
        if one.ends != LIVE:
            told = said(last)
            return "" if last["outcome"] != LIVE and one.ends in told else f"{last['outcome']}: {told}"
        return _wrong(world, one, last, said)
    finally:
        world.close()


def _wrong(world: World, one: Followed, last: dict[str, object], said: Callable[[dict[str, object]], str]) -> str:
    if last["outcome"] != LIVE:
        return f"{last['outcome']}: {said(last)}"
    answer = world.ask(one.path, app=str(last["app"]), timeout=60)
    is_good = answer.status == one.status and one.text in answer.text
    return "" if is_good else f"{one.path} answered {answer.status}: {answer.text[:200]!r}"


def follow_all(
    chosen: Sequence[Followed],
    put: Callable[[Followed, Path], None],
    said: Callable[[dict[str, object]], str],
) -> int:
    """Follow each and print how it ended; the number that ended otherwise than expected."""
    wrong = 0
    for one in chosen:
        told = follow(one, lambda path, one=one: put(one, path), said)  # type: ignore[misc]  # bound at once
        wrong += bool(told)
        print(f"{'WRONG' if told else 'as expected'} | {' | '.join(one.row())}" + (f"\n    {told}" if told else ""))
    return wrong
