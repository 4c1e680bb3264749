"""Front ends and Node servers, with the real npm."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from underway.drivers.builds import listening
from underway.manifest.build import KIT_ENV_MODULE, LISTEN_MODULE, ORIGIN_MODULE, BuildKeys, NodeBuild
from underway.manifest.model import Static

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")

BUILD = "require('fs').mkdirSync('dist'); require('fs').writeFileSync('dist/index.html', process.env.NODE_ENV)"


def npm(**keys: Any) -> BuildKeys:
    return BuildKeys(node=NodeBuild(manager="npm", **keys))


def package(**more: Any) -> str:
    return json.dumps({"name": "front", "version": "1.0.0", **more})


@pytest.fixture
def with_local_package(bench: Any) -> None:
    """A project that depends on a package of its own folder, so that no registry is needed."""
    bench.write(
        {
            "package.json": package(
                dependencies={"inner": "file:./inner"},
                scripts={"build": "node -e \"require('fs').writeFileSync('out.txt', require('inner'))\""},
            ),
            "inner/package.json": json.dumps({"name": "inner", "version": "1.0.0", "main": "index.js"}),
            "inner/index.js": "module.exports = 'from inner'\n",
            "package-lock.json": json.dumps(
                {
                    "name": "front",
                    "version": "1.0.0",
                    "lockfileVersion": 3,
                    "requires": True,
                    "packages": {
                        "": {"name": "front", "version": "1.0.0", "dependencies": {"inner": "file:./inner"}},
                        "inner": {"version": "1.0.0"},
                        "node_modules/inner": {"resolved": "inner", "link": True},
                    },
                }
            ),
        }
    )


def test_a_project_without_dependencies_needs_no_lock(bench: Any) -> None:
    bench.write({"web/package.json": package(scripts={"build": f'node -e "{BUILD}"'})})
    build = bench.make(npm(dir="web", script="build"), Static(dir="web/dist"))
    assert Path(build.static_dir, "index.html").read_text() == "production"
    assert not (bench.tree / "web/dist").exists()


@pytest.mark.usefixtures("with_local_package")
def test_a_locked_project_is_installed_and_built(bench: Any) -> None:
    build = bench.make(npm(script="build"))
    assert Path(build.dir, "out.txt").read_text() == "from inner"


@pytest.mark.usefixtures("with_local_package")
def test_without_a_lock_what_the_package_accepts_is_installed_and_said(bench: Any) -> None:
    (bench.tree / "package-lock.json").unlink()
    build = bench.make(npm(script="build"))
    assert Path(build.dir, "out.txt").read_text() == "from inner"
    assert not Path(build.dir, "package-lock.json").exists()
    assert "npm install --package-lock-only" in Path(build.dir).parent.joinpath("build.log").read_text()


@pytest.mark.usefixtures("with_local_package")
def test_a_lock_that_does_not_fit_says_so_first(bench: Any) -> None:
    text = json.loads((bench.tree / "package.json").read_text())
    text["dependencies"]["other"] = "file:./other"
    bench.write({"package.json": json.dumps(text), "other/package.json": '{"name": "other", "version": "1.0.0"}'})
    failure = bench.fail(npm())
    assert failure.problem.code == "build.install"
    assert "package.json and package-lock.json" in failure.problem.why
    assert "npm ci" in failure.problem.where


def test_packages_that_ask_for_other_versions_of_each_other_are_installed_as_the_lock_has_them(bench: Any) -> None:
    def packed(name: str, version: str, **more: Any) -> bytes:
        out, text = io.BytesIO(), json.dumps({"name": name, "version": version, **more}).encode()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            member = tarfile.TarInfo("package/package.json")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        return out.getvalue()

    bench.tree.mkdir(exist_ok=True)
    (bench.tree / "menu.tgz").write_bytes(packed("menu", "1.0.0", peerDependencies={"view": "^1.0.0"}))
    (bench.tree / "view.tgz").write_bytes(packed("view", "2.0.0"))
    bench.write({"package.json": package(dependencies={"menu": "file:menu.tgz", "view": "file:view.tgz"})})
    npm_6 = ["npm", "install", "--package-lock-only", "--legacy-peer-deps", "--no-audit"]
    subprocess.run(npm_6, cwd=bench.tree, check=True, capture_output=True)
    build = bench.make(npm())
    assert {path.name for path in Path(build.dir, "node_modules").iterdir()} >= {"menu", "view"}
    assert "--legacy-peer-deps" in Path(build.dir).parent.joinpath("build.log").read_text()


def test_a_failing_script_gives_its_own_words(bench: Any) -> None:
    bench.write({"package.json": package(scripts={"build": "node -e \"throw new Error('no such page: home')\""})})
    failure = bench.fail(npm(script="build"))
    assert failure.problem.code == "build.command"
    assert "no such page: home" in failure.problem.why
    assert bench.left() == []


def test_a_script_that_is_not_there(bench: Any) -> None:
    bench.write({"package.json": package()})
    failure = bench.fail(npm(script="build"))
    assert failure.problem.code == "build.command"
    assert 'Missing script: "build"' in failure.problem.why


def test_a_manager_that_is_not_there_is_told_with_its_remedy(bench: Any) -> None:
    """Neither pnpm nor the npm that would bring it."""
    only_node = bench.tree.parent / "only-node"
    only_node.mkdir()
    for name in ("node", "sh", "git"):
        (only_node / name).symlink_to(str(shutil.which(name)))
    bench.environ["PATH"] = str(only_node)
    bench.builds = bench.open()
    bench.write({"package.json": package(), "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"})
    problem = bench.fail(BuildKeys(node=NodeBuild(manager="pnpm"))).problem
    assert problem.code == "build.node"
    assert "pnpm" in problem.why
    assert problem.command == "npm install --global pnpm"


def test_the_yarn_that_the_repository_carries_is_run(bench: Any) -> None:
    said = "require('fs').appendFileSync('said.txt', process.argv.slice(2).join(' ') + process.env.HUSKY + '\\n')\n"
    bench.write(
        {
            ".yarnrc.yml": "nodeLinker: node-modules\n\nyarnPath: .yarn/releases/yarn-3.6.1.cjs\n",
            ".yarn/releases/yarn-3.6.1.cjs": said,
            "web/package.json": package(scripts={"build": "unused"}, dependencies={"left": "1"}),
            "yarn.lock": "__metadata:\n  version: 6\n",
        }
    )
    build = bench.make(BuildKeys(node=NodeBuild(manager="yarn", dir="web", script="build")))
    assert Path(build.dir, "said.txt").read_text() == "install --immutable0\n"  # a lock above: the whole workspace
    assert Path(build.dir, "web/said.txt").read_text() == "run build0\n"


def test_a_yarn_outside_the_repository_is_not_run(bench: Any) -> None:
    bench.write(
        {
            ".yarnrc.yml": "yarnPath: ../yarn.cjs\n",
            "package.json": package(scripts={"build": "node -e 1"}, packageManager="yarn@0.0.1"),
            "yarn.lock": "",
        }
    )
    (bench.tree.parent / "yarn.cjs").write_text("process.exit(0)")
    failure = bench.fail(BuildKeys(node=NodeBuild(manager="yarn", script="build")))
    assert failure.problem.code in ("build.install", "build.node")


def test_a_yarn_of_another_major_than_the_project_asks_for_is_left_alone(bench: Any) -> None:
    """`npm install --global yarn` gives version 1, which ends where package.json names a later one."""
    found = bench.tree.parent / "found"
    found.mkdir()
    for name, text in (("yarn", "echo 1.22.22"), ("npm", 'echo "$*" > asked.txt')):
        (found / name).write_text(f"#!/bin/sh\n{text}\n")
        (found / name).chmod(0o755)
    bench.environ["PATH"] = f"{found}:{os.environ['PATH']}"
    bench.builds = bench.open()
    bench.write({"package.json": package(packageManager="yarn@4.12.0"), "yarn.lock": "__metadata:\n  version: 8\n"})
    build = bench.make(BuildKeys(node=NodeBuild(manager="yarn")))
    assert "@yarnpkg/cli-dist@4.12.0 -- yarn install --immutable" in Path(build.dir, "asked.txt").read_text()


def test_yarn_1_waits_for_another_that_has_its_cache(bench: Any) -> None:
    said = "require('fs').appendFileSync('said.txt', process.argv.slice(2).join(' '))\n"
    bench.write({".yarnrc.yml": "yarnPath: yarn.cjs\n", "yarn.cjs": said, "package.json": package(), "yarn.lock": ""})
    build = bench.make(BuildKeys(node=NodeBuild(manager="yarn")))
    asked = Path(build.dir, "said.txt").read_text()
    assert asked.startswith("install --frozen-lockfile --production=false --mutex file:/")


LISTENS = """
const http = require("http"), servers = []
for (const words of JSON.parse(process.env.WORDS)) {
  const server = http.createServer()
  servers.push(new Promise((done, fail) => { server.on("error", fail); server.listen(...words, () => done(server)) }))
}
Promise.all(servers).then((all) => {
  const at = all.map((s) => s.address())
  console.log(JSON.stringify(at.map((a) => [a.address, a.port === Number(process.env.PORT)])))
  process.exit(0)
}, (error) => { console.log(String(error)); process.exit(1) })
"""


@pytest.mark.parametrize(
    ("fixed", "words", "at"),
    [
        ("", [["$"]], [["127.0.0.1", True]]),
        ("", [["$", "0.0.0.0"], [0]], [["127.0.0.1", True], ["127.0.0.1", False]]),
        ("", [[{"port": "$", "host": "::"}]], [["127.0.0.1", True]]),
        ("3000", [[3000]], [["127.0.0.1", True]]),
        ("3000", [["3000", None]], [["127.0.0.1", True]]),
        ("3000", [[{"port": 3000, "host": "localhost"}]], [["127.0.0.1", True]]),
        ("3000", [[0], [3000, 511]], [["127.0.0.1", False], ["127.0.0.1", True]]),
        ("first", [[4000], [0]], [["127.0.0.1", True], ["127.0.0.1", False]]),
        ("first", [["$"], [0]], [["127.0.0.1", True], ["127.0.0.1", False]]),
    ],
)
def test_a_server_listens_on_loopback_and_on_the_port_it_is_given(
    bench: Any, free_port: int, fixed: str, words: list[Any], at: list[Any]
) -> None:
    """The module that every build of Node holds, loaded as the detected command does."""
    bench.write({"package.json": package(), "server.js": LISTENS})
    build = bench.make(npm())
    given = json.dumps(words).replace('"$"', str(free_port))
    done = subprocess.run(
        ["node", "--require", "./.underway/listen.cjs", "server.js"],
        cwd=build.dir,
        env={"PATH": os.environ["PATH"], "PORT": str(free_port), "UNDERWAY_FIXED_PORT": fixed, "WORDS": given},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert json.loads(done.stdout) == at, done.stderr


CONNECTS = """\
const net = require("node:net");
const ways = {
  address: () => net.connect({ host: "localhost", port: 5432 }),
  words: () => net.connect(5432, "127.0.0.1"),
  socket: () => new net.Socket().connect(5432, "localhost"),
  bare: () => net.createConnection(5432),
};
const to = ways[process.env.WAY]();
to.on("data", (data) => { console.log(String(data)); to.destroy(); });
to.on("error", (error) => console.log(error.code));
"""


@pytest.mark.parametrize("way", ["address", "words", "socket", "bare"])
def test_what_connects_to_the_usual_port_comes_to_the_apps_own(bench: Any, way: str) -> None:
    bench.write({"package.json": package(), "client.js": CONNECTS})
    build = bench.make(npm())
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        port = str(server.getsockname()[1])
        client = subprocess.Popen(
            ["node", "--require", "./.underway/listen.cjs", "client.js"],
            cwd=build.dir,
            env={"PATH": os.environ["PATH"], "UNDERWAY_POSTGRES_PORT": port, "WAY": way},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            with server.accept()[0] as taken:
                taken.sendall(b"here")
                assert client.communicate(timeout=60)[0] == "here\n"
        finally:
            client.kill()
            client.wait()


def test_a_folder_of_its_own_that_leads_elsewhere_is_not_followed(bench: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    bench.write({"package.json": package()})
    (bench.tree / ".underway").symlink_to(outside)
    listening.add(bench.tree, LISTEN_MODULE)
    assert not list(outside.iterdir())
    assert (bench.tree / ".underway/listen.cjs").is_file()


def test_an_engine_that_cannot_be_downloaded_is_told_before_anything_is(bench: Any) -> None:
    with contextlib.suppress(OSError):
        socket.getaddrinfo("binaries.prisma.sh", 443)
        pytest.skip("this machine reaches Prisma's engines")
    bench.write({"package.json": package(dependencies={"@prisma/client": "6"}), "package-lock.json": "{}"})
    problem = bench.fail(npm()).problem
    assert (problem.code, problem.where) == ("build.engine", "package.json")
    assert "PRISMA_ENGINES_MIRROR" in problem.remedy


FONTS = 'import {\n  Inter,\n} from "next/font/google";\nexport const inter = Inter({ subsets: ["latin"] });\n'


def test_fonts_that_cannot_be_downloaded_are_told_before_anything_is(bench: Any) -> None:
    with contextlib.suppress(OSError):
        socket.getaddrinfo("fonts.googleapis.com", 443)
        pytest.skip("this machine reaches the fonts of Google")
    with_next = package(dependencies={"next": "15"}, scripts={"build": "next build"})
    bench.write({"web/package.json": with_next, "web/package-lock.json": "{}", "web/app/fonts.ts": FONTS})
    problem = bench.fail(npm(dir="web", script="build")).problem
    assert (problem.code, problem.where) == ("build.fonts", "web/app/fonts.ts:3")
    assert "next/font/local" in problem.remedy


KIT_PAGE = """\
<script lang="ts" module>
  import {
    API_SECRET, // what the other side knows us by
    MAIL_KEY as mail,
  } from '$env/static/private';
  import { onMount } from 'svelte';
  const all = API_SECRET + mail;
</script>
"""
KIT_AGAIN = "import { API_SECRET } from \"$env/static/private\"\nimport { OPEN } from '$env/static/public';\n"


def test_what_sveltekit_reads_in_private_is_left_to_the_start(tmp_path: Path) -> None:
    """What it writes is run: the names are those of the environment at that time."""
    listening.add(tmp_path, KIT_ENV_MODULE)
    for path, text in (("routes/+page.svelte", KIT_PAGE), ("lib/api.ts", KIT_AGAIN), ("lib/plain.ts", "let a = 1\n")):
        (tmp_path / "src" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / path).write_text(text)
    subprocess.run(["node", KIT_ENV_MODULE, "src"], cwd=tmp_path, check=True)
    page, again = (tmp_path / "src" / path for path in ("routes/+page.svelte", "lib/api.ts"))
    assert "static/private" not in page.read_text() + again.read_text()
    assert "$env/static/public" in again.read_text(), "that is the browser's, and part of the build"
    assert (tmp_path / "src/lib/plain.ts").read_text() == "let a = 1\n"
    script = page.read_text().partition(">")[2].partition("</script>")[0]
    script = script.replace("$env/dynamic/private", "data:text/javascript,export const env = process.env")
    script = script.replace("import { onMount } from 'svelte';", "") + "console.log(all)"
    said = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        env={"PATH": os.environ["PATH"], "API_SECRET": "hush", "MAIL_KEY": "-key"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout == "hush-key\n"


@pytest.mark.usefixtures("with_local_package")
def test_a_front_end_of_its_own_is_built_beside_the_server(bench: Any) -> None:
    bench.write({"client/package.json": package(scripts={"build": f'node -e "{BUILD}"'})})
    node = NodeBuild(manager="npm", script="build")
    both = BuildKeys(node=node, front_end=NodeBuild(manager="npm", dir="client", script="build"))
    build = bench.make(both, Static(dir="client/dist"))
    assert Path(build.static_dir, "index.html").read_text() == "production"
    assert Path(build.dir, "out.txt").read_text() == "from inner"


def test_pages_call_their_api_at_their_own_address(tmp_path: Path) -> None:
    """Run in a browser's words: what the built script evaluates to, at the page's own `location`."""
    listening.add(tmp_path, ORIGIN_MODULE)
    asks = 'x=()=>{return"http://same-origin.invalid/api"};y=new Set(["ws://localhost:5001/ws",`http://localhost:5001/${x}`])'
    (tmp_path / "dist").mkdir()
    for name, text in (
        ("app.js", f"{asks};z='<a href=\"http://localhost:5001/docs\">';w='http://localhost:50011/'"),
        ("app.js.gz", "stale"),
        ("index.html", '<script>fetch("http://localhost:5001/x")</script>'),
        ("notes.txt", "http://localhost:5001"),
    ):
        (tmp_path / "dist" / name).write_text(text)
    subprocess.run(["node", ".underway/origin.cjs", "dist", "localhost:5001"], cwd=tmp_path, check=True)
    page = "location={origin:'https://shop.example',host:'shop.example'};"
    script = page + (tmp_path / "dist/app.js").read_text() + ";console.log(JSON.stringify([x(),...y,z,w]))"
    said = json.loads(subprocess.run(["node", "-e", script], check=True, capture_output=True).stdout)
    assert said[0] == "https://shop.example/api"
    assert said[1] == "wss://shop.example/ws"
    assert said[2].startswith("https://shop.example/()")
    assert said[3:] == ['<a href="/docs">', "http://localhost:50011/"]
    assert not (tmp_path / "dist/app.js.gz").exists()
    assert (tmp_path / "dist/index.html").read_text() == '<script>fetch("/x")</script>'
    assert (tmp_path / "dist/notes.txt").read_text() == "http://localhost:5001"


OWN_YARN = """\
const { execSync } = require("node:child_process");
const [verb, script] = process.argv.slice(2);
if (verb === "run") execSync("yarn made && python --version", { stdio: "inherit" });
if (verb === "made") require("node:fs").writeFileSync("made.txt", "by yarn");
"""


def test_scripts_find_the_manager_and_python_by_their_names(bench: Any) -> None:
    bench.write({"package.json": package(scripts={"build": "-"}), "yarn.lock": "__metadata:\n  version: 6\n"})
    bench.write({".yarnrc.yml": "yarnPath: .yarn/yarn.cjs\n", ".yarn/yarn.cjs": OWN_YARN})
    build = bench.make(BuildKeys(node=NodeBuild(manager="yarn", script="build"), commands=("yarn made && python -V",)))
    assert (Path(build.dir) / "made.txt").read_text() == "by yarn"
