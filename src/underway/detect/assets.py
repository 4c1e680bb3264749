"""Scripts and styles of a server's own templates: what Node makes of their sources before static files are gathered."""

from __future__ import annotations

import re
import shlex

from underway.detect.draft import Draft
from underway.detect.index import Index, cwd, join
from underway.detect.model import Evidence, Machine, Notes
from underway.detect.node import FRONT_ENDS, NodeProject
from underway.detect.python_project import PythonProject
from underway.detect.starts import Starts
from underway.manifest.build import NodeBuild

_TOOLS = (
    *FRONT_ENDS, "tailwindcss", "@tailwindcss/cli", "sass", "node-sass", "less", "postcss-cli", "gulp", "grunt",
    "laravel-mix", "browserify", "parcel-bundler", "webpack-cli", "@babel/cli",
)  # fmt: skip
_SCRIPTS = (
    "build", "build:prod", "build-prod", "build:production", "production", "prod", "heroku-postbuild", "build:css",
    "build-css", "css:build", "build:tailwind", "tailwind:build", "compile", "bundle", "dist",
)  # fmt: skip
"""Names under which package.json keeps the build for production, the likeliest first."""

_LOADERS = (
    "django-webpack-loader", "django-vite", "django-vite-plugin", "django-manifest-loader", "flask-vite",
    "python-webpack-boilerplate", "webpack-boilerplate",
)  # fmt: skip
"""Packages whose template tags name the files of a bundle, by the list that the bundler wrote."""

_CONFIGS = r"(?:vite|webpack|vue|rspack|rollup)[\w.-]*\.[cm]?[jt]s"
_LISTS = re.compile(r"BundleTracker|WebpackAssetsManifest|ManifestPlugin|\bmanifest\s*:\s*(?:true|['\"])")


def is_for_templates(index: Index, python: list[PythonProject], project: NodeProject) -> bool:
    """True for a bundle that the server's templates name: it is no page of its own, whatever its folder holds."""
    if not any(each.has(*_LOADERS) for each in python):
        return False
    inside = f"{project.folder}/" if project.folder else ""
    configs = [path for path in index.matching(_CONFIGS) if path.startswith(inside)]
    return any(_LISTS.search(index.text(path)) for path in configs) or project.has("webpack-bundle-tracker")


def draft_assets(
    index: Index,
    starts: Starts,
    node: list[NodeProject],
    machine: Machine,
    draft: Draft,
    notes: Notes,
) -> None:
    """Build them where the repository's own files do, or where nothing that they are built into is in the tree."""
    for project in node:
        if project.server or project.has(
            "next", "nuxt", "@remix-run/dev"
        ):  # another server of the repository, or one for development
            continue
        script, evidence = _own_build(index, starts, project)
        if not script and (tool := _own_tool(starts, project)):
            step = f"cd {shlex.quote(project.folder)} && " if project.folder else ""
            draft.node = NodeBuild(manager=project.manager, dir=cwd(project.folder))
            draft.commands.insert(0, f"{step}npx --no-install {tool[0]}")
            notes.claim("build", f"scripts and styles by {project.manager}: {tool[0]}", tool[1], "build.node")
            return
        is_asked = bool(script)
        if not is_asked:
            script = next((name for name in _SCRIPTS if project.scripts.get(name)), "")
            evidence = index.line(project.path, f'"{script}"')
        if not script or (not is_asked and not project.has(*_TOOLS)):
            continue
        kept = "" if is_asked else _in_the_tree(index, project, script)
        if kept:
            notes.claim("build", f"npm run {script} is not run: {kept} is in the repository", evidence)
            continue
        if not machine.node_version:
            notes.problem(
                "detect.node-missing",
                evidence,
                f"scripts and styles are built by Node ({script} in package.json), and this machine has none",
                "install Node",
            )
        draft.node = NodeBuild(manager=project.manager, dir=cwd(project.folder), script=script)
        notes.claim("build", f"scripts and styles by {project.manager}: {script}", evidence, "build.node")
        return


_RUN = re.compile(r"\b(?:npm|yarn|pnpm|bun)(?:\s+--?[\w./=-]+(?:\s+(?=\S*/)\S+)?)*\s+(?:run(?:-script)?\s+)?([\w:.-]+)")


def _own_build(index: Index, starts: Starts, project: NodeProject) -> tuple[str, Evidence]:
    """The script that a Dockerfile, a Procfile or a line of compose runs to build, and where."""
    lines = [(run, Evidence(each.path, line)) for each in starts.dockerfiles for run, line in each.runs]
    lines += [(start.line, start.evidence) for start in starts.found]
    for path in index.matching(r"(build|release|deploy|bin_post_compile|post_compile|render-build|start-?\w*)(\.sh)?"):
        lines += [(index.text(path), Evidence(path))] if len(index.text(path)) < 20_000 else []
    for line, evidence in lines:
        for found in _RUN.finditer(line):
            if found[1] in project.scripts and re.search(r"build|prod|compile|dist|bundle|css", found[1]):
                return found[1], evidence
    return "", Evidence(project.path)


_TOOL_RUN = re.compile(
    r"(?:^|[;&|]|\bnpx)\s*((gulp|grunt|webpack|tailwindcss|parcel|rollup|vite)(?:\s+[\w.:=/-]+)*)(?=$|[;&|])"
)


def _own_tool(starts: Starts, project: NodeProject) -> tuple[str, Evidence] | None:
    """The bundler's line that a Dockerfile runs itself, with no script of package.json for it."""
    for each in starts.dockerfiles:
        for run, line in each.runs:
            for found in _TOOL_RUN.finditer(run.strip()):
                if project.has(found[2]) and not re.search(r"--watch|\bwatch\b|\bdev\b", found[1]):
                    return found[1].strip(), Evidence(each.path, line)
    return None


_OUTPUTS = (
    re.compile(r"(?:\s-o|--output|--outfile|--out-file)[= ]['\"]?([\w./-]+)"),
    re.compile(r"(?:\s-d|--outdir|--out-dir|--outDir|--dist-dir|--dir)[= ]['\"]?([\w./-]+)"),
    re.compile(r"\b(?:outDir|outputDir|output\s*:\s*\{\s*path)\s*:\s*['\"]([\w./-]+)['\"]"),
    re.compile(r"\bpath\s*:\s*path\.(?:resolve|join)\(\s*(?:__dirname\s*,\s*)?((?:['\"][\w./-]+['\"]\s*,?\s*)+)\)"),
)


def _in_the_tree(index: Index, project: NodeProject, script: str) -> str:
    """What the build makes, where the repository holds it already; empty where it does not, or nobody can say."""
    line = project.scripts[script]
    for _ in range(3):  # "build": "npm run build:css"
        inner = re.search(r"\b(?:npm run|yarn|pnpm(?: run)?)\s+([\w:-]+)", line)
        line = f"{line} {project.scripts[inner[1]]}" if inner and inner[1] in project.scripts else line
    inside = f"{project.folder}/" if project.folder else ""
    texts = [line] + [index.text(path) for path in index.matching(_CONFIGS) if path.startswith(inside)]
    for text in texts:
        for pattern in _OUTPUTS:
            for found in pattern.finditer(text):
                named = "/".join(re.findall(r"[\w./-]+", found[1]))
                target = join(project.folder, named)
                if index.has(target):
                    return target
                if target and any(p.startswith(f"{target}/") and p.endswith((".js", ".css")) for p in index.paths):
                    return target
    return ""
