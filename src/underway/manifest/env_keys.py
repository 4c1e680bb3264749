"""`[env]` and `[environments]`: what each variable must be, and its values by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from underway.manifest import env_words, words
from underway.manifest.keys import Key
from underway_kit.values import Rule


@dataclass(frozen=True)
class EnvVar:
    """`[env]`: `NAME = "value"` or `NAME = {type = "int", default = "4", required = true, …}`.

    `generate` makes a value once per app, kept secret, the same for every release. `value` is that of the layer
    `base`; it may name what only the deploy knows, see `manifest/hosts.py`.
    """

    value: Annotated[
        str,
        Key(
            "value",
            env_words.ENV_VALUE,
            '"info"',
            "The value. `${app}`, `${host}`, `${url}`, `${hosts}` and `${origins}` (the last two also as `_json` and "
            "`_spaced`) stand for the app's own names.",
        ),
    ] = ""
    generate: Annotated[
        str,
        Key(
            "generate",
            env_words.GENERATE,
            '"urlsafe"',
            "A secret made once for the app and kept for every release. `rsa` and `ed25519` make a private key as PEM; "
            "the public half is for a variable with `from`.",
        ),
    ] = ""
    secret: Annotated[bool, Key("secret", words.FLAG, "true", "Never shown in output, logs and events.")] = False
    required: Annotated[bool, Key("required", words.FLAG, "true", "The deploy is refused while it has no value.")] = (
        False
    )
    required_in: Annotated[
        tuple[str, ...],
        Key("required_in", env_words.ENVIRONMENTS, '["production"]', "Required in these environments only."),
    ] = ()
    type: Annotated[
        str, Key("type", env_words.ENV_TYPE, '"list of url"', "What the text must be, checked before a build.")
    ] = "str"
    choices: Annotated[
        tuple[str, ...], Key("choices", env_words.ENV_CHOICES, '["debug", "info"]', "The words of the type `enum`.")
    ] = ()
    pattern: Annotated[
        str,
        Key("pattern", env_words.PATTERN, '"sk_live_[a-z0-9]+"', "What the whole value matches, for the type `regex`."),
    ] = ""
    default: Annotated[
        str,
        Key(
            "default", env_words.ENV_VALUE, '"4"', "The value where no layer has one. It is also in the typed settings."
        ),
    ] = ""
    example: Annotated[
        str, Key("example", env_words.ENV_VALUE, '"re_123"', "What stands in `.env.example`; a secret may not have it.")
    ] = ""
    doc: Annotated[str, Key("doc", env_words.DOC, '"Key of the mail provider"', "What it is for, in one line.")] = ""
    min_entropy: Annotated[
        float, Key("min_entropy", env_words.ENTROPY, "128", "The least entropy of a secret, in bits; 0 asks for none.")
    ] = 0.0
    forbid: Annotated[
        tuple[str, ...],
        Key(
            "forbid",
            env_words.ENV_CHOICES,
            '["letmein"]',
            "Values it may not have. A secret may never have a known default (`changeme`), the value of the "
            "repository's `.env.example`, or one that stands in its committed history.",
        ),
    ] = ()
    source: Annotated[
        str,
        Key(
            "from",
            env_words.ENV_SOURCE,
            '"postgres"',
            "Where its value comes from: a service (`postgres`, `postgres:host`, `postgres:url:postgresql+asyncpg`, "
            "`redis`, `redis:port`) or the public half of a generated key (`public:JWT_KEY`).",
        ),
    ] = ""
    rotates_s: Annotated[
        float, Key("rotates", env_words.ROTATES, '"90d"', "It is to be renewed this often; longer is a finding.")
    ] = 0.0
    previous: Annotated[
        str,
        Key(
            "previous",
            env_words.ENV_NAME_OR_NONE,
            '"SECRET_KEY_FALLBACKS"',
            "The variable in which the app reads former values that it still accepts, as a list between commas. "
            "A rotation fills it until the old value is retired.",
        ),
    ] = ""
    at: Annotated[
        str,
        Key(
            "at",
            env_words.ENV_AT,
            '"run"',
            "When it is there: `run` for processes and the migration, `build` for build commands, `agent` for neither: "
            "Underway alone uses it, for a channel, a monitor, a heartbeat. A secret is never part of a build: builds "
            "get a stand-in.",
        ),
    ] = "both"
    processes: Annotated[
        tuple[str, ...],
        Key("processes", words.PROCESS_NAMES, '["worker"]', "Which processes get it; empty: all, and the migration."),
    ] = ()

    @property
    def rule(self) -> Rule:
        """What its text must be, as the app's start checks it too."""
        return Rule(
            type=self.type,
            choices=self.choices,
            pattern=self.pattern,
            secret=self.is_secret,
            min_entropy=self.min_entropy,
            forbid=self.forbid,
        )

    @property
    def is_secret(self) -> bool:
        return self.secret or bool(self.generate)

    @property
    def is_run_with(self) -> bool:
        """Processes and the migration get it."""
        return self.at in ("both", "run")

    @property
    def is_built_with(self) -> bool:
        """Build commands get it, a secret as a stand-in."""
        return self.at in ("both", "build")

    def is_required_in(self, environment: str) -> bool:
        return self.required or environment in self.required_in

    def is_for(self, process: str) -> bool:
        """True when `process` gets it; the empty name stands for the migration."""
        return not self.processes or process in self.processes


@dataclass(frozen=True)
class EnvironmentKeys:
    """`[environments.NAME]`: what differs from `[env]` in one environment."""

    inherits: Annotated[
        str,
        Key(
            "inherits", env_words.ENVIRONMENT_OR_NONE, '"production"', "The environment it takes its values from first."
        ),
    ] = ""
    env: Annotated[
        Mapping[str, str],
        Key("env", env_words.ENV_VALUES, '{LOG_LEVEL = "debug"}', "Values of this environment, over those of `[env]`."),
    ] = field(default_factory=lambda: MappingProxyType({}))
