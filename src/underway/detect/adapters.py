"""SvelteKit and Astro build for one kind of host, by an adapter. One for another host gives place to the one for a
server of one's own: in the copy that is built, never in the repository."""

from __future__ import annotations

import re
from collections.abc import Mapping

from underway.detect.index import Index, join
from underway.detect.model import Evidence
from underway.detect.node import Built, NodeProject
from underway.manifest.build import KIT_ENV_MODULE

KIT = re.compile(r"""['"](@sveltejs/adapter-[\w-]+|svelte-adapter-[\w-]+|@[\w-]+/svelte-adapter[\w-]*)['"]""")
ASTRO = re.compile(r"""['"]@astrojs/(node|vercel|netlify|cloudflare|deno)(?:/[\w-]+)?['"]""")
HOSTS = {"vercel": "Vercel", "netlify": "Netlify", "cloudflare": "Cloudflare", "deno": "Deno",
         "cloudflare-workers": "Cloudflare", "auto": "whichever host it is built on"}  # fmt: skip
_PLACE = ".underway/adapter"
"""Where the adapter is installed: apart, so that no lock and no other package changes."""

_KIT_BOUND = re.compile(r"\bplatform\s*\??\.\s*(?:env|context|cf|caches)\b|\$env/[^'\"]*platform")
_ASTRO_BOUND = re.compile(r"\b(?:Astro\.|context\.)?locals\s*\??\.\s*(?:runtime|netlify|vercel)\b|['\"]cloudflare:")
_KIT_ADAPTERS = {"1": "1", "2": "5"}
"""Versions of @sveltejs/adapter-node by the major of SvelteKit (svelte.dev/docs/kit/adapter-node, its changelog)."""
_ASTRO_ADAPTERS = {"2": "5", "3": "6", "4": "8", "5": "9", "6": "10"}
"""Versions of @astrojs/node by the major of Astro (its peerDependencies)."""


def with_svelte_node(
    index: Index, project: NodeProject, config: str, adapter: str, env: Mapping[str, str]
) -> Built | None:
    """SvelteKit with the adapter for Node in place of `adapter`; None where nothing says that it is an app."""
    version = _KIT_ADAPTERS.get(_major(project.version("@sveltejs/kit")))
    if not config or not project.scripts.get(project.build):
        return None
    at = index.line(config, adapter) if adapter else Evidence(config)
    host = HOSTS.get(adapter.rpartition("adapter-")[2], adapter or "no host")
    bound = _bound(index, project, _KIT_BOUND) or (None if version and adapter else at)
    if bound is not None:
        says = f"SvelteKit builds for {host} here, and this needs what only {host} gives"
        if not (version and adapter):
            says = f"SvelteKit builds for {host} here"
        return Built("SvelteKit", "@sveltejs/kit", bound, problem=says, remedy=_KIT_REMEDY)
    module = f"./{_PLACE}/node_modules/@sveltejs/adapter-node/index.js"
    name = config.rpartition("/")[2]
    return Built(
        "SvelteKit",
        "@sveltejs/kit",
        at,
        command="node build",
        env={**env, "ORIGIN": "${url}"},
        before=(
            _installed(f"@sveltejs/adapter-node@{version}"),
            f"sed -i 's#{adapter}#{module}#' {name}",
            *late_secrets(index, project),
        ),
        says=f"SvelteKit is told to build for {host}: built with adapter-node {version} in place of it",
    )


_KIT_REMEDY = (
    "use the adapter for a server of your own, in svelte.config.js: import adapter from '@sveltejs/adapter-node'",
    "npm install --save-dev @sveltejs/adapter-node",
)


def with_astro_node(
    index: Index,
    project: NodeProject,
    config: str,
    host: str,
    out: str,
    asks: Evidence | None,
    env: Mapping[str, str],
) -> Built:
    """Astro with the adapter for Node in place of the one for `host`, or with none where all of it is static."""
    version = _ASTRO_ADAPTERS.get(_major(project.version("astro")))
    name = config.rpartition("/")[2]
    own = f".underway/astro.config.{name.rpartition('.')[2]}"
    at = index.line(config, "@astrojs/" + next((k for k, v in HOSTS.items() if v == host), ""))
    if asks is None:
        text = f'import own from "../{name}"; export default {{...own, adapter: undefined}}'
        script = project.scripts.get(project.build, "astro build")
        return Built(
            "Astro",
            "astro",
            at,
            folder=out,
            before=(f"echo '{text}' > {own}",),
            line=_with_config(script, own),
            says=f"Astro is told to build for {host}, and every page is static: built without an adapter",
        )
    bound = _bound(index, project, _ASTRO_BOUND) or (None if version else at)
    if bound is not None:
        says = f"Astro builds for {host} here" + (f", and this needs what only {host} gives" if version else "")
        return Built("Astro", "astro", bound, problem=says, remedy=_ASTRO_REMEDY)
    text = (
        f'import own from "../{name}"; import node from "@astrojs/node"; '
        'export default {...own, adapter: node({mode: "standalone"})}'
    )
    to = "node_modules/@astrojs"
    link = f"mkdir -p {to} && rm -rf {to}/node && ln -s ../../{_PLACE}/{to}/node {to}/node"
    return Built(
        "Astro",
        "astro",
        at,
        command=f"node {join(out, 'server/entry.mjs')}",
        env=env,
        before=(_installed(f"@astrojs/node@{version}"), link, f"echo '{text}' > {own}"),
        line=_with_config(project.scripts.get(project.build, "astro build"), own),
        says=f"Astro is told to build for {host}: built with @astrojs/node {version} in place of it",
    )


_ASTRO_REMEDY = (
    "use the adapter for a server of your own, in astro.config.mjs: adapter: node({ mode: 'standalone' })",
    "npx astro add node",
)


_STATIC = re.compile(r"(?m)^[ \t]*(?:import\b|\})[^\n]{0,300}\bfrom\s*['\"]\$env/static/private['\"]")


def late_secrets(index: Index, project: NodeProject) -> tuple[str, ...]:
    """The line that leaves what SvelteKit's sources read of the private environment to the start of the server."""
    inside = f"{project.folder}/src/" if project.folder else "src/"
    for path in index.ending(".ts", ".js", ".svelte"):
        if path.startswith(inside) and _STATIC.search(index.text(path)):
            return (f"node {KIT_ENV_MODULE} src",)
    return ()


def _with_config(script: str, config: str) -> str:
    """The build script with another configuration of Astro's; what it runs is in node_modules."""
    return re.sub(r"\bastro build\b", f"astro build --config {config}", script)


def _installed(package: str) -> str:
    return f"npm install --no-save --no-package-lock --legacy-peer-deps --prefix {_PLACE} {package}"


def _bound(index: Index, project: NodeProject, pattern: re.Pattern[str]) -> Evidence | None:
    """Where a source takes something that only one host gives."""
    inside = f"{project.folder}/src/" if project.folder else "src/"
    for path in index.ending(".ts", ".js", ".svelte", ".astro", ".tsx"):
        if path.startswith(inside) and not path.endswith(".d.ts") and (found := pattern.search(index.text(path))):
            return Evidence.at(path, index.text(path), found.start())
    return None


def _major(version: str) -> str:
    found = re.search(r"\d+", version)
    return found[0] if found else ""
