"""What is refused before anything is touched: repositories, manifests, the machine."""

from __future__ import annotations

import socket
import subprocess

import pytest

from .bad import free_port, listening, plain, read, refused
from .world import wait_until

LOCK = 'version = 1\nrequires-python = ">=3.11"\n[[package]]\nname = "case"\nversion = "1"\nsource = {virtual = "."}\n'
PROJECT = '[project]\nname = "case"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = []\n'


def test_a_path_that_is_missing_a_file_or_empty(steady):
    missing = steady.root / "missing"
    told = refused(steady.deploy(missing), "source.not-found")[0]
    assert told["where"] == str(missing)

    path = plain(steady)
    told = refused(steady.deploy(path / "server.py"), "source.not-a-folder")[0]
    assert told["command"] == f"underway deploy {path}"

    empty = steady.root / "empty"
    empty.mkdir()
    refused(steady.deploy(empty), "source.empty")
    assert read(steady.run("deploy", empty), "source.empty")
    assert steady.run("deploy", "").returncode == 2


def test_a_repository_that_is_no_app(steady):
    folder = steady.root / "essays"
    steady.write(folder, README_dot_md="words", notes__one_dot_txt="more words")
    told = refused(steady.deploy(folder), "detect.no-app")[0]
    assert "underway.toml" in told["remedy"]
    written = steady.run("init", folder)
    assert written.returncode == 3
    assert not (folder / "underway.toml").exists()


def test_folders_of_the_system_are_no_apps_and_do_no_harm(steady):
    for folder in ("/proc/self", "/dev"):
        done = steady.deploy(folder)
        assert (done["outcome"], done["exit_code"]) == ("refused", 3)


def test_a_name_that_is_not_utf8(steady):
    path = plain(steady)
    strange = path.with_name("b\udcff")
    path.rename(strange)
    done = steady.run("deploy", strange, "--json")
    assert done.returncode == 3
    assert "source.name" in done.stdout


def test_names_with_spaces_newlines_quotes_and_escapes(served):
    for folder in ("with space", "ünï → code", "new\nline", "quote'\"$x;&"):
        path = plain(served, folder=folder, name="odd")
        (path / "a\nb \x1b[31m.txt").write_text("x")
        with open(str(path).encode() + b"/\xff\xfe", "w"):
            pass
        done = served.deploy(path, "--yes")
        assert done["outcome"] == "live", done
        assert served.ask(app="odd").text == f"{folder} {done['release']}"
        shown = served.run("status", "odd").stdout
        assert "\x1b" not in shown
    assert served.run("down", "odd", "--yes").returncode == 0


def test_a_manifest_of_another_version(steady):
    path = plain(steady)
    steady.write(path, underway_dot_toml='manifest = 9\napp = "plain"\nwings = 2\n')
    told = refused(steady.deploy(path), "manifest.version")[0]
    assert told["where"] == "underway.toml:1 manifest"
    assert "version 9" in told["why"]


def test_five_mistakes_are_told_at_once_with_their_lines(steady):
    path = plain(steady)
    steady.write(
        path,
        underway_dot_toml="""manifest = 1
app = "Plain!"
[processes]
web = "exec python3 -S server.py"
[health]
path = "health"
interval = "fast"
sucesses = 2
[release]
keep = 0
""",
    )
    told = refused(
        steady.deploy(path),
        "manifest.value", "manifest.value", "manifest.value", "manifest.unknown-key", "manifest.value",
    )  # fmt: skip
    assert [problem["where"].split()[0] for problem in told] == [f"underway.toml:{line}" for line in (2, 6, 7, 8, 10)]
    assert "successes" in told[3]["remedy"]
    stderr = read(steady.run("deploy", path), "manifest.unknown-key")
    assert stderr.count("underway.toml:") == 5


def test_a_manifest_that_is_no_toml(steady):
    path = plain(steady, "\n[[oops")
    told = refused(steady.deploy(path), "manifest.syntax")[0]
    assert told["where"].startswith("underway.toml:")


def test_two_apps_claim_a_domain(served):
    first = plain(served, name="first", top='domains = ["shop.example.com", "third.localhost"]')
    assert served.deploy(first)["outcome"] == "live"
    told = refused(served.deploy(plain(served, top='domains = ["shop.example.com"]')), "domain.taken")[0]
    assert told["where"] == "underway.toml:3 domains"
    assert told["command"] == "underway down first"
    told = refused(served.deploy(plain(served, name="third")), "domain.taken")[0]
    assert "third.localhost" in told["why"]
    assert served.ask(app="first").status == 200
    assert served.run("down", "first", "--yes").returncode == 0
    assert served.deploy(plain(served, name="third"))["outcome"] == "live"
    assert served.run("down", "third", "--yes").returncode == 0


@pytest.mark.parametrize(
    ("manager", "where", "command"),
    [
        ("uv", "uv.lock", "uv lock"),
        ("pdm", "pdm.lock", "pdm lock"),
        ("pipenv", "Pipfile.lock", "pipenv lock"),
        ("pip", "requirements.txt", "uv pip compile pyproject.toml -o requirements.txt"),
    ],
)
def test_a_missing_lock_is_refused_before_a_build(steady, manager, where, command):
    path = plain(steady, f'\n[build.python]\nmanager = "{manager}"\n', pyproject_dot_toml=PROJECT)
    told = refused(steady.deploy(path), "build.lock-missing")[0]
    assert (told["where"], told["command"]) == (where, command)


def test_missing_packages_of_node(steady):
    path = plain(steady, '\n[build.node]\nmanager = "npm"\ndir = "front"\n')
    told = refused(steady.deploy(path), "build.folder-missing")[0]
    assert told["where"] == "underway.toml build.node.dir"
    steady.write(path, front__index_dot_html="hi")
    told = refused(steady.deploy(path), "build.package-missing")[0]
    assert told["where"] == "front/package.json"


def test_a_lock_that_git_ignores_is_missing(steady):
    path = plain(steady, '\n[build.python]\nmanager = "uv"\n', pyproject_dot_toml=PROJECT, uv_dot_lock=LOCK)
    steady.write(path, _dot_gitignore="uv.lock\n")
    subprocess.run(["git", "init", "-q", path], check=True)
    refused(steady.deploy(path), "build.lock-missing")


def test_an_interpreter_that_is_not_there(steady):
    project = PROJECT.replace(">=3.11", ">=3.99")
    path = plain(steady, '\n[build.python]\nmanager = "uv"\n', pyproject_dot_toml=project, uv_dot_lock=LOCK)
    told = refused(steady.deploy(path), "build.python")[0]
    assert told["where"] == "pyproject.toml requires-python"
    assert "wants Python >=3.99; found here: 3." in told["why"]
    assert told["command"] == "uv python install 3.99"


def test_a_static_folder_that_nothing_makes(steady):
    path = plain(steady, '\n[static]\ndir = "dist"\nurl = "/static/"\n')
    refused(steady.deploy(path), "build.static-missing")


def test_every_missing_variable_is_named(steady):
    path = plain(steady, "\n[env]\nAPI_KEY = {required = true, secret = true}\nMAIL_FROM = {required = true}\n")
    told = refused(steady.deploy(path), "env.missing", "env.missing")
    assert [problem["where"].split()[1] for problem in told] == ["env.API_KEY", "env.MAIL_FROM"]


def test_several_obstacles_are_told_at_once(steady):
    path = plain(steady, '\n[build.python]\nmanager = "uv"\ndir = "api"\n[static]\ndir = "dist"\nurl = "/s/"\n')
    refused(steady.deploy(path), "build.folder-missing", "build.static-missing")


def test_a_missing_extension_is_refused_before_a_database_is_made(steady):
    path = plain(steady, '\n[services]\npostgres = {extensions = ["no_such_thing"]}\n')
    told = refused(steady.deploy(path), "postgres.extension-missing")[0]
    assert "no_such_thing" in told["why"]
    assert told["command"]


def test_the_proxys_port_is_taken(world):
    path = plain(world)
    with listening(world.port) as pid:
        told = refused(world.deploy(path), "proxy.port-taken")[0]
        assert f"(pid {pid})" in told["why"]
        assert told["where"] == f"port {world.port}"
        assert world.run("releases", "plain").returncode == 3  # nothing was begun
        other = free_port()
        remedy = told["command"].replace(str(world.port + 1), str(other))
        assert remedy == f"underway agent stop; UNDERWAY_HTTP_PORT={other} underway agent start"
        assert world.run("agent", "stop").returncode == 0
        assert world.run("agent", "start", env={"UNDERWAY_HTTP_PORT": str(other)}).returncode == 0
        assert world.deploy(path)["outcome"] == "live"
        world.port = other
        assert world.ask(app="plain").status == 200


def is_free(port):
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) != 0


def test_an_instances_port_is_taken_between_two_deploys(served):
    slots = next(e["route"]["slots"] for e in served.events("plain") if e["event"] == "routed")
    with listening(wait_until(lambda: next((p for slot in slots for p in slot["ports"] if is_free(p)), None), 60)):
        done = served.deploy(plain(served))
        assert done["outcome"] == "live", done
        assert served.ask(app="plain").text.endswith(done["release"])
    back = served.deploy(plain(served, VERSION="good"))
    assert back["outcome"] == "live"
    served.release = back["release"]


def test_what_was_found_stands_above_what_is_missing(steady):
    path = steady.root / "apps/asking"
    steady.write(
        path,
        main_dot_py='import os\nfrom fastapi import FastAPI\napp = FastAPI()\nKEY = os.environ["STRIPE_KEY"]\n',
        requirements_dot_txt="fastapi\nuvicorn\n",
    )
    told = steady.run("deploy", path, "--yes").stderr
    assert told.index("FastAPI: main:app  main.py:3") < told.index("main.py:4")
    assert "underway env set STRIPE_KEY" in told
    assert '"outcome":"refused"' in steady.run("deploy", path, "--yes", "--json").stdout
    assert steady.run("deploy", path, "--dry-run", "--allow-missing").returncode == 0
