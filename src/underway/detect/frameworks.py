"""Full-stack frameworks of JavaScript: whether one makes a server or static files here, and how that server starts."""

from __future__ import annotations

import posixpath
import re
import shlex
from types import MappingProxyType

from underway.detect.adapters import ASTRO, HOSTS, KIT, late_secrets, with_astro_node, with_svelte_node
from underway.detect.index import Index, cwd, folder_of, join
from underway.detect.model import Evidence
from underway.detect.node import Built, NodeProject
from underway.detect.node_config import at_line, config_of, named
from underway.detect.node_scripts import followed

_LOOPBACK = MappingProxyType({"HOST": "127.0.0.1"})
_RUNS_FILE = re.compile(r"(?:NODE_ENV=\w+ )?(?:node|tsx|ts-node|bun)\s(?:.*\s)?([\w./-]+)$")
_OWN_FILE = re.compile(r"\.output/server/|\.next/standalone/|dist/server/entry\.m?js|^(?:\./)?build(?:/index\.js)?/?$")
"""What the frameworks themselves make to be started."""


def built_by(index: Index, project: NodeProject) -> Built | None:
    """What the framework of `project` makes of it; None without one, and where the project starts a server of its own
    around it."""
    started = _RUNS_FILE.match(followed(project, project.scripts.get("start", "")))
    if started and not _OWN_FILE.search(started[1]):
        return None
    for framework in (_next, _nuxt, _svelte_kit, _astro, _react_router, _solid_start, _nitro):
        if (made := framework(index, project)) is not None:
            return made
    return None


def _next(index: Index, project: NodeProject) -> Built | None:
    if "next" not in project.dependencies:
        return None
    config, text = config_of(index, project, "next.config")
    exported = re.search(r"""output\s*:\s*['"]export""", text)
    if exported or re.search(r"\bnext export\b", project.scripts.get(project.build, "")):
        at = at_line(config, text, exported) if exported else index.line(project.path, "next export")
        return Built("Next.js", "next", at, folder=named(text, "distDir", "out") if exported else "out")
    at = index.line(project.path, '"next"')
    env = {"HOSTNAME": "127.0.0.1"}
    is_alone = re.search(r"""output\s*:\s*['"]standalone""", text)
    is_chosen = is_alone and re.search(
        r"(?:\?|&&)\s*\(?\s*\{\s*$", text[: is_alone.start()]
    )  # `next start` does either
    if is_alone and not is_chosen and (inner := _standalone_folder(project, text)) is not None:
        out = named(text, "distDir", ".next")
        to = join(f"{out}/standalone", inner)  # the server serves both, and the build leaves the copying to others
        beside = shlex.quote(to)
        copy = f"cp -r {out}/static {beside}/{out}/ && if [ -d public ]; then cp -r public {beside}/; fi"
        at = at_line(config, text, is_alone)
        return Built("Next.js", "next", at, command=f"node {beside}/server.js", env=env, after=copy)
    command = "node_modules/.bin/next start -H 127.0.0.1 -p $PORT"
    return Built("Next.js", "next", at, command=command, env=env)


_TRACED = re.compile(r"\boutputFileTracingRoot\s*:\s*([^\n]{1,200})")
_OWN_PLACE = r"(?:__dirname|import\.meta\.dirname|process\.cwd\(\))"
_JOINED = re.compile(
    rf"(?:path\.)?(?:join|resolve)\(\s*{_OWN_PLACE}((?:\s*,\s*['\"][./\w-]*['\"])*)\s*\)|{_OWN_PLACE}\s*,?\s*$"
)


def _standalone_folder(project: NodeProject, config: str) -> str | None:
    """Where in `standalone` the server lies: Next.js repeats the path from the root of what it traces
    (nextjs.org/docs, output, "standalone"). That is the folder of the lock, which the build tells it, or the one that
    the configuration names; None where it cannot be told."""
    root = folder_of(project.lock) if project.lock else project.folder
    if (said := _TRACED.search(config)) is not None:
        joined = _JOINED.match(said[1].strip())
        if joined is None:
            return None
        steps = re.findall(r"['\"]([./\w-]*)['\"]", joined[1] or "")
        root = posixpath.normpath(posixpath.join(project.folder or ".", *steps)).removeprefix("./")
    if cwd(root) == cwd(project.folder):
        return ""
    inside = f"{root}/" if cwd(root) != "." else ""
    return project.folder.removeprefix(inside) if project.folder.startswith(inside) else None


_NUXT_BUILD = re.compile(r"\b(?:nuxt|nuxi)\s+(build|generate)(?:\s+(?!-)(?:\./)?([\w./-]+))?")
_STATIC_PRESET = re.compile(r"""\bpreset\s*:\s*['"](?:static|github[-_]pages|[\w-]+[-_]static)['"]""")


def _nuxt(index: Index, project: NodeProject) -> Built | None:
    package = next((name for name in ("nuxt", "nuxt3", "nuxt-edge") if project.has(name)), "")
    script = "build" if "build" in project.scripts else "generate"
    if not package or script not in project.scripts:
        return None
    said = _NUXT_BUILD.search(project.scripts[script])
    inner = said[2] if said and said[2] else ""
    config, text = config_of(index, project, "nuxt.config")
    at = index.line(project.path, f'"{package}"')
    is_spa = bool(re.search(r"\bssr\s*:\s*false", text))
    if re.match(r"[\^~]?2\b", project.version(package)):
        if (said and said[1] == "generate") or re.search(r"""\btarget\s*:\s*['"]static""", text):
            made = "generate" if "generate" in project.scripts else script
            return Built("Nuxt", package, at, folder=join(inner, "dist"), spa=is_spa, script=made)
        return Built("Nuxt", package, at, command=f"node_modules/.bin/nuxt start {inner}".strip(), env=_LOOPBACK)
    if (said and said[1] == "generate") or _STATIC_PRESET.search(text):
        return Built("Nuxt", package, at, folder=join(inner, ".output/public"), spa=is_spa, script=script)
    return _nitro_server("Nuxt", package, at, text, config, inner)


def _nitro_server(name: str, package: str, at: Evidence, text: str, config: str, inner: str = "") -> Built:
    """A server that Nitro lays out (nitro.build/deploy/runtimes/node), whatever host the project names."""
    env = dict(_LOOPBACK)
    says = ""
    preset = re.search(r"""\bpreset\s*:\s*['"]([\w-]+)['"]""", text)
    if preset and not re.fullmatch(r"node[-_]server|node_?cluster|node", preset[1]):
        env |= {"NITRO_PRESET": "node-server", "SERVER_PRESET": "node-server"}
        says = f"{name} is told to build for {preset[1]}: it is built for a server of one's own in place of that"
        at = at_line(config, text, preset)
    server = join(inner, ".output/server/index.mjs")
    return Built(name, package, at, command=f"node {server}", env=env, says=says)


def _svelte_kit(index: Index, project: NodeProject) -> Built | None:
    if not project.has("@sveltejs/kit"):
        return None
    config, text = config_of(index, project, "svelte.config")
    adapters = KIT.findall(text)
    if "@sveltejs/adapter-node" in adapters or (not adapters and project.has("@sveltejs/adapter-node")):
        out = re.search(r"""\bout\s*:\s*['"]([\w./-]+)['"]""", text)
        at = index.line(config, "adapter-node") if config else Evidence(project.path)
        env = {**_LOOPBACK, "ORIGIN": "${url}"}  # svelte.dev/docs/kit/adapter-node: forms are refused without it
        command = f"node {out[1].removeprefix('./') if out else 'build'}"
        before = late_secrets(index, project)
        says = "what is imported from $env/static/private is read when it starts: no secret is part of a build"
        return Built(
            "SvelteKit",
            "@sveltejs/adapter-node",
            at,
            command=command,
            env=env,
            before=before,
            says=says if before else "",
        )
    if "@sveltejs/adapter-static" in adapters:
        fallback = re.search(r"""\bfallback\s*:\s*['"`]([\w.-]+)""", text)
        at = index.line(config, "adapter-static")
        return Built(
            "SvelteKit", "@sveltejs/adapter-static", at, folder=named(text, "pages", "build"), spa=bool(fallback)
        )
    return with_svelte_node(index, project, config, adapters[0] if adapters else "", _LOOPBACK)


def _astro(index: Index, project: NodeProject) -> Built | None:
    if not project.has("astro"):
        return None
    config, text = config_of(index, project, "astro.config")
    out = named(text, "outDir", "dist")
    adapters = [found[1] for found in ASTRO.finditer(text)]
    asks = _on_demand(index, project, config, text)
    at = index.line(project.path, '"astro"')
    if not adapters or (asks is None and "node" in adapters):
        return Built("Astro", "astro", at, folder=out)
    if "node" in adapters:
        command = f"node {join(out, 'server/entry.mjs')}"
        return Built("Astro", "@astrojs/node", index.line(config, "@astrojs/node"), command=command, env=_LOOPBACK)
    return with_astro_node(index, project, config, HOSTS.get(adapters[0], adapters[0]), out, asks, _LOOPBACK)


def _on_demand(index: Index, project: NodeProject, config: str, text: str) -> Evidence | None:
    """Where it is said that a page is made when it is asked for (docs.astro.build/guides/on-demand-rendering)."""
    mode = re.search(r"""\boutput\s*:\s*['"](?:server|hybrid)['"]""", text)
    if mode:
        return at_line(config, text, mode)
    inside = f"{project.folder}/src/" if project.folder else "src/"
    for path in index.ending(".astro", ".ts", ".js", ".tsx", ".mdx"):
        if path.startswith(inside):
            found = re.search(r"\bexport const prerender\s*=\s*false|\bserver:defer\b", index.text(path))
            if found:
                return at_line(path, index.text(path), found)
    return None


def _react_router(index: Index, project: NodeProject) -> Built | None:
    """React Router and Remix without a server of their own (reactrouter.com/how-to/spa, `ssr: false`)."""
    package = next((name for name in ("@react-router/dev", "@remix-run/dev") if project.has(name)), "")
    if not package:
        return None
    for name in ("react-router.config", "vite.config"):
        config, text = config_of(index, project, name)
        if found := re.search(r"\bssr\s*:\s*false", text):
            title = "React Router" if "router" in package else "Remix"
            folder = join(named(text, "buildDirectory", "build"), "client")
            return Built(title, package, at_line(config, text, found), folder=folder, spa=True)
    serve = next((name for name in ("@react-router/serve", "@remix-run/serve") if project.has(name)), "")
    if not serve or "start" in project.scripts or not index.has(join(project.folder, "vite.config.ts")):
        return None
    tool = "react-router-serve" if "router" in serve else "remix-serve"
    command = f"node_modules/.bin/{tool} ./build/server/index.js"
    return Built("React Router", serve, index.line(project.path, f'"{serve}"'), command=command, env=_LOOPBACK)


def _solid_start(index: Index, project: NodeProject) -> Built | None:
    """SolidStart before its first release: a server of its own, unless an adapter for one host is named."""
    config, text = config_of(index, project, "vite.config")
    other = re.search(r"""['"]solid-start-(vercel|netlify|cloudflare[\w-]*|deno|aws)['"]""", text)
    if not project.has("solid-start") or other is None:
        return None
    says = f"SolidStart builds for {other[1].partition('-')[0].capitalize()} here"
    remedy = ("take the adapter out of vite.config: solid() builds a server of your own with solid-start-node", "")
    return Built("SolidStart", "solid-start", at_line(config, text, other), problem=says, remedy=remedy)


_ON_NITRO = {
    "@solidjs/start": "SolidStart", "@tanstack/react-start": "TanStack Start", "@tanstack/solid-start":
    "TanStack Start", "@tanstack/start": "TanStack Start",
}  # fmt: skip


def _nitro(index: Index, project: NodeProject) -> Built | None:
    package = next((name for name in _ON_NITRO if project.has(name)), "")
    configs: list[tuple[str, str]] = []
    if package:
        configs = [config_of(index, project, name) for name in ("app.config", "vite.config", "nitro.config")]
        whole = " ".join(text for _, text in configs)
        if not project.has("vinxi") and "nitro" not in whole:
            return None
    elif re.search(r"\bnode .*\.output/server/", project.scripts.get("start", "")):
        package = next((name for name in ("nitropack", "nitro", "vinxi") if project.has(name)), "")
        configs = [config_of(index, project, "nitro.config")]
    if not package:
        return None
    config, text = next(((c, t) for c, t in configs if "preset" in t), ("", ""))
    name = _ON_NITRO.get(package, "Nitro")
    at = index.line(project.path, f'"{package}"')
    if _STATIC_PRESET.search(text):
        return Built(name, package, at, folder=".output/public", spa=bool(re.search(r"\bssr\s*:\s*false", text)))
    return _nitro_server(name, package, at, text, config)


_BASES: tuple[tuple[str, str, str], ...] = (
    ("vitepress", ".vitepress/config", "base"),
    ("@docusaurus/core", "docusaurus.config", "baseUrl"),
    ("@vue/cli-service", "vue.config", "publicPath"),
    ("astro", "astro.config", "base"),
    ("@sveltejs/kit", "svelte.config", "base"),
    ("next", "next.config", "basePath"),
    ("vite", "vite.config", "base"),
)
_WHEN_BUILT = r"(?:[\w.]{1,40}\s*===?\s*['\"](?:production|build)['\"]\s*\?\s*)?"


def base_path(index: Index, project: NodeProject) -> tuple[str, Evidence] | None:
    """The path below which the pages look for their own files, `/shop/`, where it is not the root."""
    for package, name, key in _BASES:
        if not project.has(package):
            continue
        config, text = config_of(index, project, name)
        found = re.search(rf"""\b{key}\s*:\s*{_WHEN_BUILT}['"`](/[\w./-]+)['"`]""", text)
        if found:
            return f"{found[1].rstrip('/')}/", at_line(config, text, found)
        break
    if project.has("react-scripts"):
        home = re.search(r'"homepage"\s*:\s*"(?:https?://[^/"\s]+)?(/[\w./-]*[\w-])/?"', index.text(project.path))
        if home and "PUBLIC_URL" not in project.scripts.get(project.build, ""):
            return f"{home[1]}/", index.line(project.path, '"homepage"')
    told = re.search(r"--base(?:-href)?[= ]['\"]?(/[\w./-]+)", project.scripts.get(project.build, ""))
    return (f"{told[1].rstrip('/')}/", index.line(project.path, "--base")) if told else None


def routed_health(index: Index, project: NodeProject) -> tuple[str, Evidence] | None:
    """A health route that is one by the name of its file (Next.js, Nuxt, SvelteKit, Astro, React Router)."""
    inside = f"{project.folder}/" if project.folder else ""
    for path in index.ending(".ts", ".js", ".tsx", ".jsx"):
        found = _ROUTE.fullmatch(path[len(inside) :]) if path.startswith(inside) else None
        if found:
            route = next(part for part in found.groups() if part is not None)
            clean = re.sub(r"\([^/]*\)/|\.get$", "", route)
            if re.fullmatch(r"[\w/-]{1,200}", clean):
                return f"/{clean}", Evidence(path)
    return None


_HEALTH = r"(?:health|healthz|health[-_]?check|up|ready|readyz|livez?|ping)"
_ROUTE = re.compile(
    rf"(?:src/)?app/((?:[\w()-]+/){{0,4}}{_HEALTH})/route\.[jt]s|(?:src/)?pages/(api/(?:[\w-]+/){{0,3}}{_HEALTH})\.[jt]s|"
    rf"server/(?:routes/)?((?:api/)?(?:[\w-]+/){{0,3}}{_HEALTH}(?:\.get)?)\.[jt]s|"
    rf"src/routes/((?:[\w()-]+/){{0,4}}{_HEALTH})/\+server\.[jt]s|app/routes/({_HEALTH})\.[jt]sx?"
)
