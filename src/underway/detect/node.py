"""package.json: a Node server, or a front end that becomes static files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from underway.detect.index import Index, folder_of, join
from underway.detect.model import Evidence

_LOCKS = (
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
    ("package-lock.json", "npm"),
)
SERVERS = {
    "@nestjs/core": "NestJS", "express": "Express", "fastify": "Fastify", "koa": "Koa", "hono": "Hono",
    "elysia": "Elysia",
    "@hapi/hapi": "hapi", "polka": "Polka", "restify": "Restify", "next": "Next.js", "nuxt": "Nuxt",
    "@remix-run/serve": "Remix", "@remix-run/express": "Remix", "@sveltejs/adapter-node": "SvelteKit",
    "@astrojs/node": "Astro", "@react-router/serve": "React Router", "@react-router/express": "React Router",
    "solid-start": "SolidStart", "nitropack": "Nitro", "@angular/ssr": "Angular", "socket.io": "socket.io",
}  # fmt: skip


@dataclass(frozen=True)
class Built:
    """What the framework of a project makes of it: a server that `command` starts, or the static files in `folder`.

    `package` is the framework's, `at` where that is said, `env` what tells the server its address. `script` makes it,
    or `line` in place of that, `before` and `after` are lines around it. `says` is what the plan is to tell of it.
    `problem` is why it cannot be used here, with its remedy and a command.
    """

    name: str
    package: str
    at: Evidence
    command: str = ""
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    folder: str = ""
    spa: bool = False
    script: str = ""
    before: tuple[str, ...] = ()
    line: str = ""
    after: str = ""
    says: str = ""
    problem: str = ""
    remedy: tuple[str, str] = ("", "")


@dataclass
class NodeProject:
    """A package.json. `manager` follows the nearest lockfile, `lock` is empty without one. `built` is what its
    framework makes of it; None without one, and where it is only a part of a server."""

    folder: str
    path: str
    name: str = ""
    scripts: dict[str, str] = field(default_factory=dict)
    dependencies: dict[str, str] = field(default_factory=dict)
    dev: dict[str, str] = field(default_factory=dict)
    main: str = ""
    manager: str = "npm"
    lock: str = ""
    engines: str = ""
    built: Built | None = None

    def has(self, *names: str) -> bool:
        return any(n in self.dependencies or n in self.dev for n in names)

    def version(self, name: str) -> str:
        """The range of versions it asks for; empty for a package it does not name."""
        return self.dependencies.get(name, self.dev.get(name, ""))

    @property
    def server(self) -> str:
        """The package that makes it a server; empty for a front end."""
        if self.built is not None:
            return self.built.package if self.built.command else ""
        is_built = [name for name in ("nuxt", "@sveltejs/adapter-node", "@astrojs/node") if name in self.dev]
        return next((name for name in SERVERS if name in self.dependencies), "") or "".join(is_built[:1])

    @property
    def build(self) -> str:
        """The script that builds it for production; empty without one."""
        if self.built is not None and self.built.script:
            return self.built.script
        return next((name for name in self.scripts if _BUILDS.fullmatch(name)), "")

    @property
    def is_front_end(self) -> bool:
        return bool(self.build) and (self.has(*FRONT_ENDS) or (self.built is not None and not self.built.command))


FRONT_ENDS = (
    "vite", "react-scripts", "@vue/cli-service", "@angular/cli", "@angular/build", "@angular-devkit/build-angular",
    "astro", "parcel", "webpack", "gatsby", "@11ty/eleventy", "@sveltejs/kit", "esbuild", "rollup", "snowpack", "next",
    "preact-cli", "@rsbuild/core", "vitepress", "@docusaurus/core", "ember-cli",
)  # fmt: skip


_BUILDS = re.compile(r"build(?:[:-](?:prod|production))?")
_MADE = re.compile(r"(^|/)(dist|build|out|_site|public)/")


def find_node_projects(index: Index) -> list[NodeProject]:
    """Every package.json that is part of the app, nearest to the root first."""
    found = []
    for path in index.named("package.json")[:40]:
        if _MADE.search(path):
            continue
        project = read_package(path, index.text(path))
        if project is None:
            continue
        folder = project.folder
        while True:
            lock = next(
                (((join(folder, name)), manager) for name, manager in _LOCKS if index.has(join(folder, name))), None
            )
            if lock is not None:
                project.lock, project.manager = lock
                break
            if not folder:
                break
            folder = folder_of(folder)
        found.append(project)
    return found


def read_package(path: str, text: str) -> NodeProject | None:
    """The package.json; None when it is no JSON object."""
    try:
        raw = json.loads(text) if len(text) < 400_000 else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    manager = str(raw.get("packageManager", "")).partition("@")[0]
    engines = raw.get("engines")
    main = raw.get("main")
    name = raw.get("name")
    return NodeProject(
        folder=folder_of(path),
        path=path,
        name=name if isinstance(name, str) else "",
        scripts=_texts(raw.get("scripts")),
        dependencies=_texts(raw.get("dependencies")),
        dev=_texts(raw.get("devDependencies")),
        main=main if isinstance(main, str) else "",
        manager=manager if manager in ("npm", "pnpm", "yarn", "bun") else "npm",
        engines=str(engines.get("node", "")) if isinstance(engines, dict) else "",
    )


def accepts_node(engines: str, version: str) -> bool:
    """False when `engines` plainly leaves out the major version of Node; true for what is not understood."""
    major = int(found[0]) if (found := re.match(r"\d+", version)) else 0
    if not engines.strip() or not major:
        return True
    return any(_takes(one, major) for one in engines[:200].split("||"))


def _takes(one: str, major: int) -> bool:
    for sign, number, rest in re.findall(r"(>=?|<=?|[\^~=])?\s*v?(\d+)((?:\.[\dxX*]+)*)", one):
        asked = int(number)
        is_whole = not re.search(r"[1-9]", rest)
        if (sign == ">=" and major < asked) or (sign == ">" and major < asked + is_whole):
            return False
        if (sign == "<" and major >= asked + (not is_whole)) or (sign == "<=" and major > asked):
            return False
        if sign in ("", "^", "~", "=") and " - " not in one and major != asked:
            return False
    return True


def _texts(raw: object) -> dict[str, str]:
    return {str(k): v for k, v in raw.items() if isinstance(v, str)} if isinstance(raw, dict) else {}


PAGES = ("react-scripts", "@vue/cli-service", "vite", "@angular/cli", "parcel", "snowpack", "preact-cli")
"""Tools that build whole pages. Others also pack the styles and scripts of a server's own templates."""


def output_folder(index: Index, project: NodeProject) -> tuple[str, Evidence, bool]:
    """Where the build puts its files, the evidence, and whether one page serves every path."""
    if project.built is not None and project.built.folder:
        return join(project.folder, project.built.folder), project.built.at, project.built.spa
    for name in (
        "vite.config.ts",
        "vite.config.js",
        "vite.config.mjs",
        "vite.config.mts",
        "vue.config.js",
        "rsbuild.config.ts",
    ):
        path = join(project.folder, name)
        text = index.text(path)
        found = re.search(r"""\b(?:outDir|outputDir|pages)\s*:\s*['"`]([\w./-]+)['"`]""", text)
        if found:
            return (
                join(project.folder, found[1]),
                Evidence.at(path, text, found.start()),
                "vite" in name or "vue" in name,
            )
    for name in ("webpack.config.js", "webpack.prod.js", "webpack.config.prod.js", "webpack.config.ts"):
        path = join(project.folder, name)
        text = index.text(path)
        found = re.search(
            r"""\bpath\s*:\s*(?:path\.)?(?:resolve|join)\(\s*__dirname\s*,\s*['"]([\w./-]+)['"]\s*\)""", text
        )
        if found and not project.has("vite", "react-scripts", "@angular/cli", "@vue/cli-service"):
            at = Evidence.at(path, text, found.start())
            return join(project.folder, found[1]), at, "historyApiFallback" in text
    for name in ("rollup.config.js", "rollup.config.mjs", "rollup.config.ts"):
        path = join(project.folder, name)
        found = re.search(r"""\bdir\s*:\s*['"]([\w./-]+)['"]""", index.text(path))
        if found and index.has(join(project.folder, f"{found[1]}/index.html")):
            return join(project.folder, found[1]), Evidence(path), " -s" in project.scripts.get("start", "")
    at = index.line(project.path, f'"{project.build}"')
    build = project.scripts.get(project.build, "")
    outs = re.search(r"--(?:outDir|out-dir|dist-dir|outdir|output-path)[= ](\S+)", build)
    if outs:
        return join(project.folder, outs[1]), at, project.has("vite")
    for package, folder, spa in (
        ("react-scripts", "build", True),
        ("@angular/cli", _angular(index, project), True),
        ("@vue/cli-service", "dist", True),
        ("gatsby", "public", False),
        ("@11ty/eleventy", "_site", False),
        ("@docusaurus/core", "build", False),
        ("vitepress", ".vitepress/dist", False),
        ("ember-cli", "dist", True),
        ("vite", "dist", True),
    ):
        if project.has(package):
            return join(project.folder, folder), at, spa
    return join(project.folder, "dist"), at, False


def _angular(index: Index, project: NodeProject) -> str:
    text = index.text(join(project.folder, "angular.json"))
    found = re.search(r'"outputPath"\s*:\s*"([\w./-]+)"', text)
    if not found:
        return f"dist/{project.name}/browser" if project.name else "dist"
    builder = "application" in (re.search(r'"builder"\s*:\s*"([^"]+)"', text) or [""])[0]
    return f"{found[1]}/browser" if builder else found[1]


def running(project: NodeProject, script: str) -> str:
    """The line that runs a script of package.json. npm is wherever Node is; yarn and pnpm need not be there, and the
    script is the same."""
    if project.manager == "bun":
        return f"bun run {script}"
    return "npm start" if script == "start" else f"npm run {script}"
