"""From a source to a finished build, and what is left when it fails."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from underway.drivers import cgroups
from underway.drivers.builds import workshop
from underway.drivers.builds.builder import ACCOUNTS
from underway.drivers.cgroups import ControlGroups
from underway.manifest.build import BuildKeys, NodeBuild, PythonBuild
from underway.manifest.model import Static
from underway.terms.problem import Failure
from underway.terms.release import Build

PIP = BuildKeys(python=PythonBuild(manager="pip", requirements=("requirements.txt",)))


def test_a_build_runs_from_its_own_copy(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\n", "app.py": "import tiny\nprint(tiny.version)\n"})
    build = bench.make(PIP)
    assert bench.python(build, "import app") == "1.0"
    assert Path(build.dir).parent == bench.home.builds("shop") / build.key
    assert not build.was_reused
    assert build.size_bytes > 0
    assert Path(build.dir, ".venv/bin/python").exists(), "scripts that say .venv/bin/python work"
    assert not (bench.tree / ".venv").exists(), "the work tree stays as it was"
    assert not Path(build.dir, "../scratch").exists()
    assert stat.S_IMODE(bench.home.builds("shop").stat().st_mode) & 0o066 == 0, "others may at most pass through"
    assert stat.S_IMODE(Path(build.dir, "../build.log").stat().st_mode) == 0o600


def test_the_same_source_and_keys_reuse_the_build(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\n", "app.py": "x = 1\n"})
    first = bench.make(PIP)
    again = bench.make(PIP)
    assert again.was_reused
    assert (again.key, again.dir) == (first.key, first.dir)
    bench.builds = bench.open()
    began = time.monotonic()
    ask = bench.ask(PIP)
    found = bench.builds.find("shop", bench.builds.key(ask))
    assert time.monotonic() - began < 5, "measured 5 ms: a bound, not a measure"
    assert found is not None
    assert found.dir == first.dir


def test_whatever_shapes_a_build_changes_its_key(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\n", "app.py": "x = 1\n", "public/a.txt": "x"})
    asks = [
        bench.ask(PIP),
        bench.ask(BuildKeys(python=PythonBuild(manager="pip", extra=("gadget",)))),
        bench.ask(BuildKeys(python=PIP.python, commands=("true",))),
        bench.ask(PIP, Static(dir="public")),
        bench.ask(PIP, collect=("true",)),
        bench.ask(PIP, env={"API_URL": "https://example.org"}),
    ]
    bench.write({"app.py": "x = 2\n"})
    asks.append(bench.ask(PIP))
    keys = [bench.builds.key(ask) for ask in asks]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 16 and int(key, 16) >= 0 for key in keys)
    patient = BuildKeys(python=PIP.python, timeout_s=1.0)
    assert bench.builds.key(bench.ask(patient)) == keys[-1], "how long it may take is no part of what it is"


def test_a_half_made_folder_is_none_and_is_replaced(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\n"})
    ask = bench.ask(PIP)
    key = bench.builds.key(ask)
    folder = bench.home.builds("shop") / key
    (folder / "tree/deep").mkdir(parents=True)
    (folder / "tree/deep/old").write_text("x")
    assert bench.builds.find("shop", key) is None
    (folder / "complete").write_text("{")
    assert bench.builds.find("shop", key) is None
    build = bench.make(ask)
    assert not build.was_reused
    assert not (folder / "tree/deep").exists()


def test_a_marker_of_another_build_is_not_believed(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\n"})
    build = bench.make(PIP)
    other = bench.home.builds("shop") / ("0" * 16)
    other.mkdir()
    (other / "tree").mkdir()
    (other / "complete").write_bytes(Path(build.dir, "../complete").read_bytes())
    assert bench.builds.find("shop", "0" * 16) is None
    assert bench.builds.find("shop", "../" + build.key) is None


def test_a_build_whose_interpreter_is_gone_is_made_again(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\n"})
    build = bench.make(PIP)
    (Path(build.venv) / "bin/python").unlink()
    assert bench.builds.find("shop", build.key) is None
    assert not bench.make(PIP).was_reused


def test_two_builds_of_one_key_at_once_are_one(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\n"})
    ask = bench.ask(BuildKeys(python=PIP.python, commands=("sleep 0.2",)))

    async def both() -> list[Build]:
        return list(await asyncio.gather(*(bench.builds.make(ask, bench.said.append) for _ in range(3))))

    builds = bench.run(both())
    assert sorted(build.was_reused for build in builds) == [False, True, True]
    assert len({build.dir for build in builds}) == 1


def test_the_environment_of_the_agent_does_not_reach_a_build(bench: Any) -> None:
    bench.environ |= {
        "AWS_SECRET_ACCESS_KEY": "canary",
        "DATABASE_URL": "postgres://canary",
        "PIP_INDEX_URL": "https://u:canary9@example.org/s",
    }
    bench.builds = bench.open()
    bench.write({"a.txt": "x"})
    build = bench.make(BuildKeys(commands=("env > seen; pwd > where; echo $PIP_INDEX_URL; echo $HOME $TMPDIR > own",)))
    seen = dict(line.split("=", 1) for line in Path(build.dir, "seen").read_text().splitlines() if "=" in line)
    assert "AWS_SECRET_ACCESS_KEY" not in seen
    assert "DATABASE_URL" not in seen
    assert Path(build.dir, "where").read_text().strip() == build.dir
    home, temporary = Path(build.dir, "own").read_text().split()
    assert home.startswith(str(bench.home.root))
    assert len(temporary) < 75
    assert not os.path.exists(home)
    assert not os.path.exists(temporary)
    log = Path(build.dir, "../build.log").read_text()
    assert "canary9" not in log, "credentials of an index stay out of the log"
    assert "https://u:•••@example.org/s" in log


def test_commands_see_the_environment_and_the_settings(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\n"})
    keys = BuildKeys(python=PIP.python, commands=("python -c 'import tiny; print(tiny.version)' > from-build",))
    collect = ("echo $API_URL > from-collect", "python -c 'import sys; print(sys.prefix)' > prefix")
    build = bench.make(keys, None, collect, env={"API_URL": "https://example.org", "PATH": "/nowhere"})
    assert Path(build.dir, "from-build").read_text() == "1.0\n"
    assert Path(build.dir, "from-collect").read_text() == "https://example.org\n"
    assert Path(build.dir, "prefix").read_text().strip() == build.venv


def test_a_failing_command_leaves_only_its_log(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    keys = BuildKeys(commands=("echo started", "echo first; echo 'error: the template is missing'; echo last; exit 3"))
    failure = bench.fail(keys)
    problem = failure.problem
    assert problem.code == "build.command"
    assert "the template is missing" in problem.why
    assert "exit code 3" in problem.why
    assert "exit 3" in problem.where
    assert failure.log_tail[-1] == "last"
    assert bench.left() == []
    log = Path(problem.command.removeprefix("cat "))
    assert "started" in log.read_text()
    assert log.parent == bench.home.logs("shop")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_hanging_build_ends_at_its_time_limit(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    keys = BuildKeys(commands=("echo about to hang; sleep 300 & sleep 300",), timeout_s=1.0)
    began = time.monotonic()
    failure = bench.fail(keys)
    assert time.monotonic() - began < 60
    assert failure.problem.code == "build.timeout"
    assert "sleep 300" in failure.problem.where
    assert "about to hang" in failure.log_tail
    assert bench.left() == []


def test_the_time_limit_is_for_the_whole_build(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    keys = BuildKeys(commands=("sleep 0.6", "sleep 0.6", "sleep 0.6"), timeout_s=1.0)
    assert bench.fail(keys).problem.code == "build.timeout"


def test_a_cancelled_build_leaves_nothing(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    ask = bench.ask(BuildKeys(commands=("echo begun; sleep 300",)))

    async def cancel() -> None:
        begun = asyncio.Event()
        work = asyncio.create_task(bench.builds.make(ask, lambda line: begun.set() if "running" in line else None))
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    bench.run(cancel())
    assert bench.left() == []


def test_a_source_that_changed_since_its_fingerprint_is_refused(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    ask = bench.ask(BuildKeys())
    bench.write({"a.txt": "y"})
    failure = bench.fail(ask)
    assert failure.problem.code == "build.source-changed"
    assert bench.left() == []


def test_too_little_room_is_told_before_anything_is_copied(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    bench.builds = bench.open(least_free_bytes=1 << 60)
    failure = bench.fail(BuildKeys())
    assert failure.problem.code == "build.disk-full"
    assert "MB are free" in failure.problem.why
    assert bench.left() == []


def test_a_command_that_fills_the_disk_is_told_as_such(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    failure = bench.fail(BuildKeys(commands=("dd if=/dev/zero of=/dev/full bs=1 count=1",)))
    assert failure.problem.code == "build.disk-full"


def test_a_home_that_cannot_be_written_is_a_problem(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    ask = bench.ask(BuildKeys())
    bench.home.app("shop").parent.mkdir(parents=True)
    bench.home.app("shop").write_text("a file where a folder should be")
    failure = bench.fail(ask)
    assert failure.problem.code == "home.unwritable"
    assert "shop" in failure.problem.where


def test_folders_that_the_manifest_names_must_be_inside(bench: Any, tmp_path: Path) -> None:
    bench.write({"requirements.txt": "tiny\n", "a.txt": "x"})
    for folder in ("missing", "../app", "/etc", "a.txt"):
        keys = BuildKeys(python=PythonBuild(manager="pip", dir=folder))
        assert bench.fail(keys).problem.code == "build.folder-missing"
        keys = BuildKeys(node=NodeBuild(manager="npm", dir=folder))
        assert bench.fail(keys).problem.code == "build.folder-missing"


def prune(bench: Any, keep: set[str]) -> int:
    """Prune and wait until the files are gone, which happens after the return."""

    async def pruned() -> int:
        freed: int = await bench.builds.prune("shop", keep)
        async with asyncio.timeout(10):
            while any(name.startswith(".") for name in bench.left()):
                await asyncio.sleep(0.01)
        return freed

    return int(bench.run(pruned()))


def test_what_a_crash_left_of_a_pruned_build_goes_with_the_next(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    build = bench.make(BuildKeys())
    bench.run(bench.builds.prune("shop", set()))  # the loop ends, as with a crash, before the files are removed
    assert bench.left() == [f".gone-{build.key}"]
    assert bench.builds.find("shop", build.key) is None
    assert bench.make(BuildKeys()).key == build.key
    prune(bench, {build.key})
    assert bench.left() == [build.key]


def test_discard_and_prune(bench: Any) -> None:
    builds = []
    for number in range(3):
        bench.write({"a.txt": str(number), "public/app.55e7cbb9.js": f"x = {number};" * 500})
        bench.write({f"public/n{number}-4f8A0b2C.js": "y"})
        builds.append(bench.make(BuildKeys(), Static(dir="public")))
        (bench.tree / f"public/n{number}-4f8A0b2C.js").unlink()
    locked = bench.home.builds("shop") / builds[0].key / "tree/locked"
    locked.mkdir()
    (locked / "file").write_text("x" * 9000)
    locked.chmod(0o500)
    half = bench.home.builds("shop") / ("f" * 16)
    (half / "tree").mkdir(parents=True)
    (half / "tree/file").write_text("x" * 9000)
    pool = bench.home.app("shop") / "assets"
    assert {path.name for path in pool.iterdir()} == {
        "app.55e7cbb9.js", "app.55e7cbb9.js.gz", "n0-4f8A0b2C.js", "n1-4f8A0b2C.js", "n2-4f8A0b2C.js",
    }  # fmt: skip
    freed = prune(bench, {builds[1].key, builds[2].key})
    assert freed > 9000
    assert bench.left() == sorted([builds[1].key, builds[2].key])
    assert not (pool / "n0-4f8A0b2C.js").exists()
    assert (pool / "n1-4f8A0b2C.js").exists()
    assert (pool / "app.55e7cbb9.js").read_text().startswith("x = 2;"), "the newest of one name"
    bench.run(bench.builds.discard("shop", builds[2].key))
    bench.run(bench.builds.discard("shop", builds[2].key))
    assert bench.left() == [builds[1].key]
    assert bench.builds.find("shop", builds[1].key) is not None
    assert prune(bench, set()) > 0
    assert bench.left() == []
    assert not pool.exists()
    assert bench.run(bench.builds.prune("other", [])) == 0


def test_prune_leaves_a_build_under_way_alone(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    ask = bench.ask(BuildKeys(commands=("sleep 0.4", "test -f a.txt")))

    async def pruned_meanwhile() -> Build:
        begun = asyncio.Event()
        work = asyncio.create_task(bench.builds.make(ask, lambda line: begun.set() if "sleep" in line else None))
        await begun.wait()
        await bench.builds.prune("shop", [])
        build: Build = await work
        return build

    assert bench.run(pruned_meanwhile()).key in bench.left()


def test_old_logs_of_failed_builds_are_pruned(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    failed = bench.fail(BuildKeys(commands=("exit 1",)))
    log = Path(failed.problem.command.removeprefix("cat "))
    bench.run(bench.builds.prune("shop", []))
    assert log.exists()
    month_ago = time.time() - 31 * 86400
    os.utime(log, (month_ago, month_ago))
    bench.run(bench.builds.prune("shop", []))
    assert not log.exists()


def test_the_marker_tells_the_build(bench: Any) -> None:
    bench.write({"a.txt": "x"})
    build = bench.make(BuildKeys())
    marker = json.loads(Path(build.dir, "../complete").read_text())
    assert marker["key"] == build.key
    assert build.venv == build.static_dir == ""


def test_a_driver_failure_is_no_problem_of_the_build(bench: Any) -> None:
    """A program that is not there is told by its own code, and still nothing half-made stays."""
    bench.write({"package.json": '{"scripts": {"build": "true"}}'})
    bench.environ["PATH"] = "/nonexistent"
    bench.builds = bench.open()
    failure = bench.fail(BuildKeys(node=NodeBuild(manager="npm", script="build")))
    assert isinstance(failure, Failure)
    assert failure.problem.code == "build.node"
    assert bench.left() == []


def test_commands_run_as_an_account_of_their_own_and_see_nothing_of_root(
    bench: Any, request: pytest.FixtureRequest
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run a build as somebody else")
    open_to_all = Path(tempfile.mkdtemp(prefix="uw-", dir="/tmp"))
    request.addfinalizer(lambda: shutil.rmtree(open_to_all))
    open_to_all.chmod(0o755)
    bench = type(bench)(open_to_all, bench.environ)
    script = "id -un > who; echo $TMPDIR > tmp; mkdir dist; cp who dist"
    bench.write({"package.json": json.dumps({"name": "x", "scripts": {"build": script}})})
    secret = bench.home.root / "vault.json"
    bench.home.root.mkdir(mode=0o700)
    secret.write_text("canary")
    secret.chmod(0o600)
    steal = f"cat {secret} > stolen 2>&1; ls {bench.home.root} >> stolen 2>&1; ln -s {secret} dist/out.txt; true"
    build = bench.make(BuildKeys(node=NodeBuild(manager="npm", script="build"), commands=(steal,)), Static(dir="dist"))
    tree = Path(build.dir)
    if any("run as root" in line for line in bench.said):
        pytest.skip(next(line for line in bench.said if "run as root" in line))
    assert (tree / "who").read_text().strip() in ACCOUNTS
    assert "canary" not in (tree / "stolen").read_text()
    assert "Permission denied" in (tree / "stolen").read_text()
    assert {os.lstat(tree / name).st_uid for name in ("who", "dist", "package.json")} == {0}
    assert not Path(build.static_dir, "out.txt").exists()
    assert stat.S_IMODE(bench.home.run.stat().st_mode) == 0o700, "the proxy takes no other folder for its sockets"
    assert bench.home.root.stat().st_mode & 0o066 == 0
    assert not Path((tree / "tmp").read_text().strip()).exists()


def test_a_command_that_fills_the_disk_is_ended(bench: Any) -> None:
    bench.home.root.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(bench.home.root)]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small disk can be made here: mounting is not allowed")
    try:
        bench.builds = bench.open(least_free_bytes=40_000_000)
        bench.write({"app.py": ""})
        failure = bench.fail(BuildKeys(commands=("head -c 50m /dev/zero > big; sleep 60",)))
        assert failure.problem.code == "build.disk-full"
        assert bench.left() == []
    finally:
        subprocess.run(["umount", "-l", str(bench.home.root)], check=True)


def test_one_file_larger_than_the_limit_is_not_written(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "_LARGEST_FILE", 1 << 20)
    bench.write({"app.py": ""})
    failure = bench.fail(BuildKeys(commands=("head -c 3m /dev/zero > big",)))
    assert failure.problem.code == "build.command"


def test_a_fork_bomb_meets_its_limit_and_ends_with_its_build(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not ControlGroups(bench.home.id).limits()[2].applies:
        pytest.skip("no pids controller of the kernel's control groups is writable here")
    monkeypatch.setattr(cgroups, "PIDS_MAX", 48)
    bench.write({"bomb.sh": "n=0; while [ $n -lt 200 ]; do sleep 300 & n=$((n+1)); done; wait\n"})
    began = time.monotonic()
    failure = bench.fail(BuildKeys(commands=("sh bomb.sh",), timeout_s=20))
    assert failure.problem.code in ("build.command", "build.timeout")
    assert time.monotonic() - began < 60
    inside = str(bench.home.builds("shop"))
    assert not [p for p in psutil.process_iter(["cwd"]) if (p.info["cwd"] or "").startswith(inside)]


def test_webpack_4_is_built_with_the_hash_that_openssl_3_keeps_for_old_programs(bench: Any) -> None:
    bench.write({"index.html": "<h1>shop</h1>"})
    line = 'case "$NODE_OPTIONS" in *--openssl-legacy-provider) touch built;; *) '
    line += "echo 'error:0308010C:digital envelope routines::unsupported'; exit 1;; esac"
    build = bench.make(BuildKeys(commands=(line,)))
    assert Path(build.dir, "built").exists()
