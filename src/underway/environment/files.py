"""Files made of the schema: `.env.example`, a template for production, a page of documentation, typed settings.

All are pure: the same schema gives the same text, so that a check can tell when one is out of date. None holds the
value of a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from underway.environment.dotenv import write
from underway.environment.layers import service_names
from underway.environment.typed import python_settings, zod_schema
from underway.environment.words import MADE
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest

_WORD = re.compile(r"\$\{\w+\}")


def example(manifest: Manifest) -> str:
    """`.env.example`: every variable with its example, default or plain value; secrets empty."""
    lines = [f"# {MADE.format('example')}", "# Copy to .env for development; .env is not for git."]
    for name, variable in _set_by_people(manifest):
        lines += ["", *_comments(name, variable)]
        shown = variable.example or variable.default or ("" if variable.is_secret else _plain(variable.value))
        lines.append(write({name: shown}).rstrip("\n"))
    return "\n".join(lines) + "\n"


def template(manifest: Manifest, environment: str) -> str:
    """`.env.production` to fill in: what production needs, secrets empty, the rest with its value in comments."""
    lines = [
        f"# {MADE.format('template')}",
        f"# What {environment} needs. Fill it in, then remove it after:",
        f"#   underway env set --env {environment} --file THIS-FILE",
    ]
    overlay = manifest.environments.get(environment)
    values = dict(overlay.env) if overlay else {}
    for name, variable in _set_by_people(manifest):
        lines += ["", *_comments(name, variable, environment)]
        value = values.get(name, variable.value or variable.default)
        if variable.is_secret or (not value and variable.is_required_in(environment)):
            lines.append(f"{name}=")
        else:
            lines.append(f"# {write({name: _plain(value)})}".rstrip("\n"))
    return "\n".join(lines) + "\n"


def documentation(manifest: Manifest) -> str:
    """`docs/ENVIRONMENT.md`: a table of all variables and what each must be."""
    lines = [
        "# Environment",
        "",
        f"<!-- {MADE.format('docs')} -->",
        "",
        f"The variables of {manifest.app}. Secrets are never in this repository in the clear: `underway env set NAME`"
        " keeps them encrypted, `underway env check` says what is missing or wrong.",
        "",
        "| variable | type | required | secret | value | what it is for |",
        "|---|---|---|---|---|---|",
    ]
    for name, variable in sorted(manifest.env.items()):
        lines.append(
            "| "
            + " | ".join(
                _cell(text)
                for text in (
                    f"`{name}`",
                    _type_words(variable),
                    _required_words(variable),
                    "yes" if variable.is_secret else "no",
                    _value_words(variable),
                    _purpose(variable),
                )
            )
            + " |"
        )
    if given := service_names(manifest):
        lines += ["", "Given by services: " + ", ".join(f"`{name}`" for name in given) + "."]
    if manifest.environments:
        lines += ["", "## What differs by environment", "", "| environment | from | values |", "|---|---|---|"]
        for name, keys in manifest.environments.items():
            values = ", ".join(f"`{n}` = `{v}`" for n, v in sorted(keys.env.items())) or "–"
            lines.append(f"| {name} | {keys.inherits or 'base'} | {_cell(values)} |")
    return "\n".join(lines) + "\n"


def _set_by_people(manifest: Manifest) -> list[tuple[str, EnvVar]]:
    previous = {variable.previous for variable in manifest.env.values()}
    return [
        (name, variable)
        for name, variable in manifest.env.items()
        if not variable.generate and not variable.source and name not in previous
    ]


def _comments(name: str, variable: EnvVar, environment: str = "") -> Iterator[str]:
    if variable.doc:
        yield f"# {variable.doc}"
    must = variable.is_required_in(environment) if environment else variable.required or bool(variable.required_in)
    words = [_type_words(variable), "required" if must else "optional"]
    if variable.is_secret:
        words.append("secret")
    yield f"# {', '.join(words)}"


def _type_words(variable: EnvVar) -> str:
    if variable.choices:
        return f"{variable.type.replace('enum', 'one of')} {', '.join(variable.choices)}"
    return f"{variable.type} {variable.pattern}".strip()


def _required_words(variable: EnvVar) -> str:
    return "yes" if variable.required else f"in {', '.join(variable.required_in)}" if variable.required_in else "no"


def _value_words(variable: EnvVar) -> str:
    if variable.generate:
        return f"generated ({variable.generate})"
    if variable.source:
        return f"from {variable.source}"
    if variable.is_secret:
        return "kept in the vault"
    if variable.value:
        return f"`{variable.value}`"
    return (
        f"default `{variable.default}`"
        if variable.default
        else f"like `{variable.example}`"
        if variable.example
        else "–"
    )


def _purpose(variable: EnvVar) -> str:
    words = [variable.doc]
    if variable.rotates_s:
        words.append(f"Renewed every {variable.rotates_s / 86_400:g} days.")
    if variable.processes:
        words.append(f"For {', '.join(variable.processes)} only.")
    if variable.at == "agent":
        words.append("For Underway alone.")
    elif variable.at != "both":
        words.append(f"At {variable.at} time only.")
    return " ".join(filter(None, words)) or "–"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _plain(value: str) -> str:
    """A value without the words that only a deploy can fill in."""
    return "" if _WORD.search(value) else value


def drifted(manifest: Manifest, texts: Mapping[str, str]) -> Sequence[str]:
    """The paths of `texts` that were made from a schema and are not what it says now."""
    out = []
    for path, text in sorted(texts.items()):
        made = next(
            (what for what in ("example", "docs", "settings --zod", "settings") if MADE.format(what) in text), ""
        )
        now = {
            "example": lambda: example(manifest),
            "docs": lambda: documentation(manifest),
            "settings": lambda: python_settings(manifest),
            "settings --zod": lambda: zod_schema(manifest),
        }.get(made)
        if now is not None and now() != text:
            out.append(path)
    return out
