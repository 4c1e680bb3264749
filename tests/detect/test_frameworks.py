"""Full-stack frameworks: a server or static files, how it starts, and what is built another way than it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.model import Manifest, Static

Look = Callable[[Mapping[str, str]], Detection]


def app(packages: Mapping[str, str], scripts: Mapping[str, str], **files: str) -> dict[str, str]:
    package = json.dumps({"name": "shop", "devDependencies": dict(packages), "scripts": dict(scripts)}, indent=1)
    named = {name.replace("__", "/").replace("_dot_", "."): text for name, text in files.items()}
    return {"package.json": package, "pnpm-lock.yaml": "", **named}


def drafted(found: Detection) -> Manifest:
    assert found.manifest is not None, found.problems
    return found.manifest


NEXT = {"dependencies": {"next": "15"}, "scripts": {"build": "next build"}}


def test_a_front_end_beside_one_that_makes_its_own_pages_is_another_app(look: Look) -> None:
    vite = json.dumps({"devDependencies": {"vite": "6"}, "scripts": {"build": "vite build"}})
    found = look(
        {"apps/web/package.json": json.dumps(NEXT), "apps/admin/package.json": vite, "apps/admin/index.html": ""}
    )
    assert drafted(found).static is None
    assert drafted(found).processes["web"].cwd == "apps/web"


@pytest.mark.parametrize(
    ("config", "command"),
    [
        ("{ output: 'standalone' }", "node .next/standalone/server.js"),
        ("{ ...(kind === 'docker' ? { output: 'standalone' } : {}) }", "node_modules/.bin/next start"),
    ],
)
def test_a_server_laid_out_by_choice_is_started_as_any(look: Look, config: str, command: str) -> None:
    found = look({"package.json": json.dumps(NEXT), "package-lock.json": "", "next.config.mjs": config})
    assert drafted(found).processes["web"].command.startswith(command)


@pytest.mark.parametrize(
    ("lock", "root", "place"),
    [
        ("web/package-lock.json", "", ""),
        ("package-lock.json", "", "web/"),
        ("package-lock.json", "outputFileTracingRoot: __dirname,", ""),
        ("web/package-lock.json", "outputFileTracingRoot: path.join(__dirname, '../'),", "web/"),
        ("web/package-lock.json", "outputFileTracingRoot: path.resolve(process.cwd(), '..', '..'),", None),
        ("web/package-lock.json", "outputFileTracingRoot: rootOf(import.meta.url),", None),
    ],
)
def test_a_server_laid_out_lies_where_its_root_puts_it(look: Look, lock: str, root: str, place: str | None) -> None:
    config = f"module.exports = {{\n  output: 'standalone',\n  {root}\n}}"
    files = {"web/package.json": json.dumps(NEXT), "web/next.config.js": config, lock: "", "package-lock.json": ""}
    command = drafted(look(files)).processes["web"].command
    assert command.startswith(
        "node_modules/.bin/next start" if place is None else f"node .next/standalone/{place}server.js"
    )


NUXT = {"nuxt": "^3.14"}
SOLID = {"@solidjs/start": "1", "vinxi": "0.4"}
ROUTER = {"@react-router/dev": "7", "vite": "6"}
ASTRO = {"astro": "^5.1"}
ON_DEMAND = "export const prerender = false"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        pytest.param(app(NUXT, {"build": "nuxt build"}), "node .output/server/index.mjs", id="nuxt"),
        pytest.param(app(NUXT, {"build": "nuxi build ./app"}), "node app/.output/server/index.mjs", id="nuxt-below"),
        pytest.param(
            app({"nuxt": "^2.15"}, {"build": "nuxt build"}), "node_modules/.bin/nuxt start", id="nuxt-2"
        ),
        pytest.param(app(SOLID, {"build": "vinxi build"}), "node .output/server/index.mjs", id="solid-start"),
        pytest.param(
            app(ASTRO, {"build": "astro build"}, astro_dot_config_dot_mjs="import n from '@astrojs/node'",
                src__pages__a_dot_astro=ON_DEMAND),
            "node dist/server/entry.mjs",
            id="astro",
        ),
        pytest.param(
            {**app({**ASTRO, "@astrojs/node": "9"}, {"build": "astro build", "start": "node server.mjs"}),
             "server.mjs": "process.env.PORT", "astro.config.mjs": "import n from '@astrojs/node'"},
            "node --require ./.underway/listen.cjs server.mjs",
            id="a-server-around-it",
        ),
        pytest.param(
            {**app({"next": "15"}, {"build": "next build"}), "package.json": '{"dependencies": {"next": "15"}, '
             '"scripts": {"build": "next build", "start": "NODE_ENV=production node server.js"}}',
             "server.js": "listen(process.env.PORT)"},
            "node --require ./.underway/listen.cjs server.js",
            id="next-with-a-server-of-its-own",
        ),
    ],
)  # fmt: skip
def test_a_framework_says_how_its_server_starts(look: Look, files: dict[str, str], command: str) -> None:
    manifest = drafted(look(files))
    assert manifest.processes["web"].command == command
    assert manifest.static is None


@pytest.mark.parametrize(
    ("files", "static"),
    [
        pytest.param(app(NUXT, {"generate": "nuxt generate"}), Static(".output/public"), id="nuxt-generate"),
        pytest.param(
            app(NUXT, {"build": "nuxt generate"}, nuxt_dot_config_dot_ts="export default { ssr: false }"),
            Static(".output/public", spa=True),
            id="nuxt-without-a-server",
        ),
        pytest.param(
            {**app(ROUTER, {"build": "react-router build"}), "react-router.config.ts": "{ ssr: false }"},
            Static("build/client", spa=True),
            id="react-router",
        ),
        pytest.param(
            app(ASTRO, {"build": "astro build"}, astro_dot_config_dot_mjs="import n from '@astrojs/node'"),
            Static("dist"),
            id="astro-of-static-pages",
        ),
        pytest.param(
            app({"ember-cli": "4"}, {"build": "ember build --environment=production"}),
            Static("dist", spa=True),
            id="ember",
        ),
        pytest.param(
            app({"vite": "6"}, {"build:prod": "vite build"}, vite_dot_config_dot_ts="{\n base: '/shop/' }"),
            Static("dist", url="/shop/", spa=True),
            id="below-a-path",
        ),
        pytest.param(
            app({"vite": "6"}, {"build": "vite build"}, vite_dot_config_dot_ts="{\n // base: '/shop/'\n }"),
            Static("dist", spa=True),
            id="a-path-in-a-comment",
        ),
    ],
)
def test_a_framework_says_which_files_it_makes(look: Look, files: dict[str, str], static: Static) -> None:
    manifest = drafted(look(files))
    assert manifest.static == static
    assert not manifest.processes


def test_nuxt_for_another_host_is_built_for_this_one(look: Look) -> None:
    found = look(app(NUXT, {"build": "nuxt build"}, nuxt_dot_config_dot_ts="{\n nitro: { preset: 'vercel' } }"))
    assert drafted(found).env["NITRO_PRESET"].value == "node-server"
    assert [c.evidence for c in found.claims if "vercel" in c.says] == ["nuxt.config.ts:2"]


def test_astro_for_another_host_is_built_for_this_one(look: Look) -> None:
    config = {"astro.config.mjs": "import vercel from '@astrojs/vercel'"}
    pages = drafted(look({**app(ASTRO, {"build": "astro check && astro build"}), **config}))
    assert pages.static == Static("dist")
    assert pages.build.commands[-1].endswith("astro check && astro build --config .underway/astro.config.mjs")
    served = drafted(look({**app(ASTRO, {"build": "astro build"}, src__pages__a_dot_ts=ON_DEMAND), **config}))
    assert served.processes["web"].command == "node dist/server/entry.mjs"
    assert "@astrojs/node@9" in served.build.commands[0]
    bound = {"src/pages/a.ts": f"{ON_DEMAND}\nlocals.runtime.env"}
    (problem,) = look({**app(ASTRO, {"build": "astro build"}), **config, **bound}).problems
    assert (problem.code, problem.where) == ("detect.adapter", "src/pages/a.ts:2")


def test_what_svelte_kit_bakes_in_must_be_there_and_the_rest_is_read(look: Look) -> None:
    files = app(
        {"@sveltejs/kit": "2", "@sveltejs/adapter-node": "5", "pg": "8"},
        {"build": "vite build"},
        svelte_dot_config_dot_js="import adapter from '@sveltejs/adapter-node'",
        src__db_dot_ts="import { env } from '$env/dynamic/private'\nnew Pool({ url: env.DATABASE_URL })",
        src__a_dot_svelte="<script>\nimport { PUBLIC_MAPBOX_KEY } from '$env/static/public'\n</script>",
    )
    found = look(files)
    assert drafted(found).services.postgres is not None
    assert [(p.code, p.where) for p in found.problems] == [("detect.env-missing", "src/a.svelte:2")]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("src/app/api/health/route.ts", "/api/health"),
        ("pages/api/healthz.js", "/api/healthz"),
        ("server/api/health.get.ts", "/api/health"),
        ("src/routes/(app)/health/+server.ts", "/health"),
    ],
)
def test_a_health_route_may_be_one_by_its_file(look: Look, path: str, route: str) -> None:
    assert drafted(look({**app(NUXT, {"build": "nuxt build"}), path: ""})).health.path == route
