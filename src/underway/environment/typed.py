"""Typed settings for the app's own code, made of the schema: a pydantic-settings class and a zod schema."""

from __future__ import annotations

import json
import re

from underway.environment.words import MADE
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest
from underway_kit.values import LIST_OF

_PYTHON = {
    "str": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "url": "str",
    "dsn": "str",
    "email": "str",
    "host": "str",
    "port": "int",
    "duration": "timedelta",
    "bytes": "int",
    "json": "Any",
    "enum": "str",
    "pem": "str",
    "regex": "str",
}


def python_settings(manifest: Manifest) -> str:
    """A module with a pydantic-settings class. It reads by the rules of the deploy's own check."""
    body: list[str] = []
    for name, variable in _declared(manifest):
        if variable.doc:
            body.append(f"    # {variable.doc}")
        body.append(f"    {name}: {_python_field(variable)}")
    text = "\n".join(body) or "    pass"
    imports = ["from typing import Annotated" + (", Any" if re.search(r"\bAny\b", text) else "")]
    if "timedelta" in text:
        imports.insert(0, "from datetime import timedelta")
    third = ["from underway_kit.settings import Settings as _Settings", "from underway_kit.values import Rule"]
    if "SecretStr" in text:
        third.insert(0, "from pydantic import SecretStr")
    return "\n".join(
        [
            f'"""The settings of {manifest.app}. {MADE.format("settings")}"""',
            "",
            *imports,
            "",
            *third,
            "",
            "",
            "class Settings(_Settings):",
            text,
            "",
        ]
    )


def _python_field(variable: EnvVar) -> str:
    of = variable.type.removeprefix(LIST_OF) if variable.type != "list" else "str"
    kind = _PYTHON[of]
    if variable.type == "list" or variable.type.startswith(LIST_OF):
        kind = f"list[{kind}]"
    elif variable.is_secret and kind == "str":
        kind = "SecretStr"
    rule = [f"type={variable.type!r}"]
    if variable.choices:
        rule.append(f"choices={variable.choices!r}")
    if variable.pattern:
        rule.append(f"pattern={variable.pattern!r}")
    if variable.is_secret:
        rule.append("secret=True")
    if variable.min_entropy:
        rule.append(f"min_entropy={variable.min_entropy:g}")
    if variable.forbid:
        rule.append(f"forbid={variable.forbid!r}")
    annotation = f"Rule({', '.join(rule)})"
    if variable.required or variable.generate or variable.source:
        return f"Annotated[{kind}, {annotation}]"
    if variable.default and not variable.is_secret:
        return f"Annotated[{kind}, {annotation}] = {_python_default(variable)}"
    return f"Annotated[{kind} | None, {annotation}] = None"


def _python_default(variable: EnvVar) -> str:
    """The default as its text: the rule reads it as it reads the environment."""
    parsed = variable.rule.parse(variable.default)
    plain = isinstance(parsed, str | int | float | bool | list)
    return repr(parsed) if plain else f"Rule(type={variable.type!r}).parse({variable.default!r})"


_ZOD = {
    "str": "z.string()",
    "int": 'z.string().regex(/^\\s*[+-]?\\d{1,40}\\s*$/, "is no whole number").transform(Number)',
    "float": 'z.string().regex(/^\\s*[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d{1,3})?\\s*$/, "is no number")'
    ".transform(Number)",
    "bool": 'z.string().regex(/^\\s*(1|true|t|yes|y|on|0|false|f|no|n|off)\\s*$/i, "is neither true nor false")'
    ".transform((text) => /^\\s*(1|t|y|on)/i.test(text))",
    "url": 'z.string().regex(/^https?:\\/\\/[^\\s\\/]+\\S*$/i, "is no http address")',
    "dsn": 'z.string().regex(/^[a-z][a-z0-9+.-]*:\\/\\/\\S+$/i, "is no address")',
    "email": "z.string().regex(/^([^<>\\r\\n]{0,200}<)?[^@\\s<>]+@([^@\\s<>]+\\.[^@\\s<>]+|localhost)>?$/, "
    '"is no e-mail address")',
    "host": 'z.string().regex(/^[A-Za-z0-9_:.[\\]-]{1,253}$/, "is no host")',
    "port": 'z.string().regex(/^\\s*\\d{1,5}\\s*$/, "is no port").transform(Number)'
    '.refine((port) => port > 0 && port < 65536, "is no port")',
    "duration": "z.string().regex(/^\\s*(\\d+(\\.\\d+)?\\s*(ms|min|[smhdw])\\s*)+$|^\\s*\\d+(\\.\\d+)?\\s*$/, "
    '"is no duration")',
    "bytes": 'z.string().regex(/^\\s*\\d+(\\.\\d+)?\\s*([kmgt]i?b|[kmgb])?\\s*$/i, "is no amount of bytes")',
    "json": "z.string().transform((text, context) => {\n    try { return JSON.parse(text); } catch {\n"
    '      context.addIssue({ code: "custom", message: "is no JSON" }); return z.NEVER;\n    }\n  })',
    "pem": 'z.string().regex(/-----BEGIN [A-Z0-9 ]+-----/, "holds no PEM block")',
}


def zod_schema(manifest: Manifest) -> str:
    """A TypeScript module with a zod schema; the process ends with code 78 and every problem at once."""
    fields = []
    for name, variable in _declared(manifest):
        if variable.doc:
            fields.append(f"  // {variable.doc}")
        fields.append(f"  {name}: {_zod_field(variable)},")
    return "\n".join(
        [
            f"// The settings of {manifest.app}. {MADE.format('settings --zod')}",
            'import { z } from "zod";',
            "",
            "export const schema = z.object({",
            *fields,
            "});",
            "",
            "export type Settings = z.infer<typeof schema>;",
            "",
            "export function settings(environment: Record<string, string | undefined> = process.env): Settings {",
            "  const read = schema.safeParse(environment);",
            "  if (read.success) return read.data;",
            "  const lines = read.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);",
            "  console.error(`The app does not start:\\n${lines.join('\\n')}`);",
            "  process.exit(78);",
            "}",
            "",
        ]
    )


def _zod_field(variable: EnvVar) -> str:
    if variable.type == "enum":
        field = f"z.enum({json.dumps(list(variable.choices))})"
    elif variable.type == "regex":
        field = f"z.string().regex(new RegExp({json.dumps(f'^(?:{variable.pattern})$')}))"
    elif variable.type == "list" or variable.type.startswith(LIST_OF):
        field = (
            'z.string().transform((text) => text.trim().startsWith("[") ? JSON.parse(text) : '
            'text.split(",").map((part) => part.trim()).filter(Boolean))'
        )
    else:
        field = _ZOD[variable.type]
    if variable.required or variable.generate or variable.source:
        return field
    if variable.default and not variable.is_secret:
        return f"z.preprocess((text) => text ?? {json.dumps(variable.default)}, {field})"
    return f"{field}.optional()"


def _declared(manifest: Manifest) -> list[tuple[str, EnvVar]]:
    return [(name, variable) for name, variable in sorted(manifest.env.items()) if variable.is_run_with]
