"""Deploys that meet each other, lose their watcher or their agent, and go on."""

from __future__ import annotations

import os
import signal

import pytest

from .bad import act_of, building, command, last_json, nothing_left, plain, read, refused, running
from .world import wait_until


def ended(world):
    return wait_until(lambda: s if not (s := world.status("plain"))["act"] else None, 30)


def serves(world, version):
    wait_until(lambda: world.ask(app="plain").text.startswith(f"{version} "), 10)


def test_a_second_deploy_is_refused_or_waits(served):
    with building(served, "--json") as first:
        told = refused(served.deploy(plain(served)), "lease.held")[0]
        assert told["command"] == "underway events plain -f"
        assert read(served.run("deploy", plain(served)), "lease.held")
        for words in (["rollback", "plain"], ["down", "plain", "--yes"]):
            done = served.run(*words, "--json")
            assert done.returncode == 3
            assert last_json(done.stdout)["problems"][0]["code"] == "lease.held"
        path = plain(served)
        with command(served, "deploy", path, "--wait", "--json") as second:
            other = plain(served, name="other")
            assert served.deploy(other)["outcome"] == "live"  # another app is not held up
            assert second.poll() is None
            first.gate.touch()
            assert last_json(first.communicate(timeout=60)[0])["outcome"] == "live"
            done = last_json(second.communicate(timeout=60)[0])
    assert done["outcome"] == "live"
    serves(served, path.name)
    assert served.run("down", "other", "--yes").returncode == 0


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_ctrl_c_stops_watching_and_says_so(served, words):
    with building(served, *words) as deploy:
        deploy.send_signal(signal.SIGINT)
        _, told = deploy.communicate(timeout=20)
        assert deploy.returncode == 130
        assert "goes on" in told
        assert "underway events plain -f" in told
        assert "Traceback" not in told
        assert act_of(served)["step"] == "build"
        deploy.gate.touch()
    assert ended(served)["last"]["outcome"] == "live"
    serves(served, deploy.version)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_agent_that_ends_in_the_middle_is_followed_by_one_that_goes_on(served, number):
    pid = served.agent_pid()
    with building(served, "--json") as deploy:
        os.kill(pid, number)
        deploy.gate.touch()
        events = deploy.communicate(timeout=60)[0]
    done = last_json(events)
    assert (done["event"], done["outcome"], deploy.returncode) == ("finished", "live", 0)
    assert '"interrupted"' in events
    assert served.agent_pid() != pid
    serves(served, deploy.version)


def test_an_agent_stopped_by_a_person_in_the_middle(served):
    with building(served) as deploy:
        assert served.run("agent", "stop").returncode == 0
        deploy.gate.touch()
        out, err = deploy.communicate(timeout=60)
    assert deploy.returncode == 0, err
    assert "The agent ended; the next one goes on" in out
    assert "Traceback" not in out + err


def test_an_agent_killed_while_a_deploy_waits_in_line(served):
    with building(served, "--json") as first:
        path = plain(served)
        with command(served, "deploy", path, "--wait", "--json") as second:
            os.kill(served.agent_pid(), signal.SIGKILL)
            first.gate.touch()
            assert last_json(first.communicate(timeout=60)[0])["outcome"] == "live"
            assert last_json(second.communicate(timeout=60)[0])["outcome"] == "live"
    serves(served, path.name)


def test_a_build_whose_agent_was_killed_leaves_no_process(served):
    ended(served)
    with building(served) as deploy:
        os.kill(served.agent_pid(), signal.SIGKILL)
        os.kill(deploy.pid, signal.SIGKILL)
        deploy.wait()
        assert act_of(served)["step"] == "build"  # the command that asks started the next agent
        deploy.gate.touch()
        ended(served)
    before = running(served)
    assert not any("sleep" in process.name() for process in served.processes())
    nothing_left(served, before)
