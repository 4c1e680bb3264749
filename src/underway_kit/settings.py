"""Typed settings of an app: every problem at once at its start, no value printed, exit code 78.

    class Settings(underway_kit.settings.Settings):
        DATABASE_URL: Annotated[SecretStr, Rule(type="dsn", secret=True)]
        WORKERS: Annotated[int, Rule(type="int")] = 4

    settings = Settings()

Needs pydantic-settings (`pip install underway[settings]`). The rules are those of the deploy's own check.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from pydantic import SecretStr, ValidationError
from pydantic_core import PydanticCustomError, core_schema
from pydantic_settings import BaseSettings, SettingsConfigDict

from underway_kit.values import Malformed, Rule
from underway_kit.weak import weakness

EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h: something was found in an unconfigured or misconfigured state."""


class Settings(BaseSettings):
    """Base of an app's settings. `Settings()` reads the environment and ends the process when something is wrong."""

    model_config = SettingsConfigDict(
        enable_decoding=False,  # the rules read lists and JSON themselves
        case_sensitive=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            lines = [_line(each) for each in error.errors(include_input=False, include_context=True, include_url=False)]
            _refuse(type(self).__name__, lines)


def _line(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{name}: it is not set, and the app needs it"
    return f"{name}: {error['msg']}"


def _refuse(what: str, lines: list[str]) -> NoReturn:
    count = f"{len(lines)} variable{'s are' if len(lines) > 1 else ' is'} wrong"
    text = "\n".join([f"{what}: {count} in this environment, so the app does not start:", *(f"  {it}" for it in lines)])
    print(f"{text}\nSee what is set and where: underway env check", file=sys.stderr, flush=True)
    sys.exit(EXIT_CONFIG)


def core_schema_of(rule: Rule, source: Any) -> core_schema.CoreSchema:
    """A pydantic schema that reads text by `rule` and keeps any other value as it is."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            parsed = rule.parse(value)
        except Malformed as error:
            raise PydanticCustomError("malformed", "{why}", {"why": error.why}) from None
        if why := weakness(rule, value):
            raise PydanticCustomError("weak", "{why}", {"why": why})
        return SecretStr(parsed) if source is SecretStr else parsed

    return core_schema.no_info_plain_validator_function(read)
