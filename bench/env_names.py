"""Names of environment variables found in real repositories, against the names counted by hand.

    python -m bench.env_names FOLDER    # with a clone of each repository of env_names_truth.toml at its commit

A clone is found by its repository's name: FOLDER/docker-django-example. Prints a table in Markdown; ends with 1 when
precision is below 0.95 or recall below 0.9.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from underway.detect.env_inventory import every_read
from underway.detect.env_schema import environment_of
from underway.drivers.sources.git import head
from underway.drivers.sources.local import LocalSources
from underway.terms.home import Home

TRUTH = Path(__file__).with_name("env_names_truth.toml")


def main(folder: str, *, is_telling: bool) -> int:
    """Compare, print, and say whether it is good enough."""
    truth = tomllib.loads(TRUTH.read_text(encoding="utf-8"))
    sources = LocalSources(Home(Path("/nonexistent")))
    print("| repository | read by the code | found | right | missed | precision | recall |")
    print("|---|---|---|---|---|---|---|")
    wanted_all = found_all = right_all = 0
    required: list[tuple[str, set[str], set[str]]] = []
    for key, entry in truth.items():
        repo, _, commit = key.partition("@")
        clone = Path(folder) / repo.partition("/")[2]
        if head(str(clone)) != commit:
            print(f"| {repo} | not at {commit[:8]} in {clone.name} | | | | | |")
            continue
        wanted = set(entry["names"].split())
        tree = sources.look(str(clone))
        found = {read.name for read in every_read(tree)}
        if "required" in entry:
            said = {name for name, each in environment_of(tree).items() if each.reads and each.variable.required}
            required.append((repo, set(entry["required"].split()), said))
        right = wanted & found
        wanted_all, found_all, right_all = wanted_all + len(wanted), found_all + len(found), right_all + len(right)
        figures = f"{len(wanted)} | {len(found)} | {len(right)} | {len(wanted - found)}"
        print(f"| {repo} | {figures} | {_share(len(right), len(found))} | {_share(len(right), len(wanted))} |")
        if is_telling:
            print("    missed:", *sorted(wanted - found))
            print("    wrong: ", *sorted(found - wanted))
    figures = f"{wanted_all} | {found_all} | {right_all} | {wanted_all - right_all}"
    print(f"| **all** | {figures} | **{_share(right_all, found_all)}** | **{_share(right_all, wanted_all)}** |")
    _print_required(required, is_telling=is_telling)
    return 0 if right_all >= 0.95 * found_all and right_all >= 0.9 * wanted_all and wanted_all else 1


def _print_required(counted: list[tuple[str, set[str], set[str]]], *, is_telling: bool) -> None:
    print("\n| repository | must be set | said to be | right |")
    print("|---|---|---|---|")
    for repo, wanted, found in counted:
        print(f"| {repo} | {len(wanted)} | {len(found)} | {len(wanted & found)} |")
        if is_telling:
            print("    missed:", *sorted(wanted - found))
            print("    wrong: ", *sorted(found - wanted))
    totals = [sum(map(len, each)) for each in ((w for _, w, _ in counted), (f for _, _, f in counted))]
    print(f"| **all** | {totals[0]} | {totals[1]} | {sum(len(wanted & found) for _, wanted, found in counted)} |")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "–"


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--tell"]
    if len(words) != 1:
        sys.exit(__doc__)
    sys.exit(main(words[0], is_telling="--tell" in sys.argv))
