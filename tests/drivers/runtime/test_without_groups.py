"""The same promises on a machine whose control groups we may not use; and finding those we may."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from underway.drivers import proc
from underway.drivers.cgroups import ControlGroups, Mount, find_mounts
from underway.terms.process import InstanceState

Stage = Any

FAMILY = """
import os, socket, time
if os.fork() == 0:
    s = socket.socket(); s.bind(("127.0.0.1", int(os.environ["PORT"]))); s.listen(8)
    held = bytearray(30_000_000)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print("orphan", os.getpid(), flush=True)
            time.sleep(60)
        os._exit(0)
    time.sleep(60)
time.sleep(60)
"""


def test_the_tree_is_known_sampled_and_ended_without_control_groups(stage: Stage) -> None:
    async def story() -> None:
        port = stage.free_port()
        async with stage.runtime(groups=ControlGroups(stage.home.id, mounts=())) as runtime:
            assert [limit.applies for limit in runtime.limits()] == [False] * 3
            assert all("control groups" in limit.says for limit in runtime.limits())
            spec = stage.spec(stage.program("family.py", FAMILY), port=port, memory_bytes=1_000_000)
            started = await runtime.start(spec, stage.env(PORT=str(port)))
            await stage.until(lambda: runtime.log_tail(spec.id) and runtime.owns_port(spec.id))
            orphan = proc.stat(int(runtime.log_tail(spec.id)[0].split()[1]))
            assert orphan.session != started.pid
            sample = await stage.until(lambda: (s := runtime.sample(spec.id)) and s.pids >= 3 and s)
            assert sample.rss_bytes > 30_000_000
            await runtime.stop(spec.id)
            assert not proc.is_alive(orphan.identity)
            assert not stage.pids()

    stage.play(story)


def test_restarts_and_adoption_without_control_groups(stage: Stage) -> None:
    async def story() -> None:
        spec, env = stage.server()
        none = ControlGroups(stage.home.id, mounts=())
        async with stage.runtime(keep=True, groups=none) as runtime:
            before = await runtime.start(spec, env)
            await stage.until(lambda: runtime.owns_port(spec.id))
        async with stage.runtime(groups=none) as runtime:
            (adopted,) = await runtime.adopt()
            assert (adopted.pid, adopted.state) == (before.pid, InstanceState.RUNNING)
            assert runtime.owns_port(spec.id)
            os.kill(adopted.pid, signal.SIGKILL)
            await stage.until(lambda: stage.ended and runtime.owns_port(spec.id))
            assert stage.ended[0].exit_code in (-9, None)

    stage.play(story)


V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_IN_DOCKER = (
    "40 30 0:33 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    "41 30 0:34 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
    "42 30 0:35 /docker/abc /sys/fs/cgroup/blkio ro - cgroup cgroup rw,blkio\n"
)


@pytest.mark.parametrize(
    ("mountinfo", "own", "expected"),
    [
        ("22 1 8:1 / / rw - ext4 /dev/sda rw\n", "", ()),
        (
            V2,
            "0::/system.slice/underway.service\n",
            (
                Mount(
                    2, frozenset({""}), Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/system.slice/underway.service")
                ),
            ),
        ),
        (
            V1_IN_DOCKER,
            "5:memory:/docker/abc/x\n4:cpu,cpuacct:/docker/abc\n3:blkio:/docker/abc\n",
            (
                Mount(1, frozenset({"memory"}), Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup/memory/x")),
                Mount(
                    1, frozenset({"cpu"}), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup/cpu,cpuacct")
                ),
            ),
        ),
    ],
)  # fmt: skip
def test_hierarchies_are_found(tmp_path: Path, mountinfo: str, own: str, expected: tuple[Mount, ...]) -> None:
    (tmp_path / "mountinfo").write_text(mountinfo)
    (tmp_path / "cgroup").write_text(own)
    assert find_mounts(tmp_path / "mountinfo", tmp_path / "cgroup") == expected


def test_a_hierarchy_that_cannot_be_written_gives_no_limit(tmp_path: Path) -> None:
    mounts = (Mount(1, frozenset({"memory"}), tmp_path / "gone", tmp_path / "gone"),)
    groups = ControlGroups("0badcafe", mounts)
    assert not any(limit.applies for limit in groups.limits())
    assert groups.make("x", memory_bytes=1).folders == ()
