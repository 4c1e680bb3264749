"""Everything the environment decides. A missing or weak secret stops the start."""

import os
import sys
from typing import NoReturn

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

EX_CONFIG = 78  # sysexits.h: something was found in an unconfigured or misconfigured state

WEAK_WORDS = (
    "changeme",
    "change-me",
    "change_me",
    "changethis",
    "default",
    "example",
    "insecure",
    "password",
    "secret",
)
SHORTEST_SECRET = 32
MAKE_SECRET = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'


class Settings(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    database_url: str
    secret_key: SecretStr
    allowed_origins: str = ""
    cheer_every_s: float = Field(default=4.0, gt=0)

    @field_validator("database_url")
    @classmethod
    def is_postgresql(cls, url: str) -> str:
        if url.split("://", 1)[0] not in ("postgresql", "postgresql+asyncpg", "postgres"):
            raise ValueError("must begin with postgresql:// or postgresql+asyncpg://")
        return url

    @field_validator("secret_key")
    @classmethod
    def is_strong(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value()
        if len(text) < SHORTEST_SECRET:
            raise ValueError(f"is too short: {SHORTEST_SECRET} characters at least")
        if len(set(text)) < 10 or any(text.lower().startswith(word) for word in WEAK_WORDS):
            raise ValueError("is a default or easy to guess")
        return key

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(one.strip().rstrip("/") for one in self.allowed_origins.split(",") if one.strip())

    @property
    def signing_key(self) -> bytes:
        return self.secret_key.get_secret_value().encode()


def release_id() -> str:
    """The name under which this copy was deployed, empty when it was started by hand."""
    return os.environ.get("UNDERWAY_RELEASE") or os.environ.get("RELEASE") or ""


def load_settings() -> Settings:
    """Settings from the environment; ends the process with exit code 78 when they cannot be used."""
    try:
        return Settings()  # type: ignore[call-arg]  # the fields come from the environment
    except ValidationError as error:
        refuse(error)


def refuse(error: ValidationError) -> NoReturn:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0]).upper()
        said = "is not set" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
        # On the same line, as some logs show the last line only.
        how = f" Make one: {MAKE_SECRET}" if name == "SECRET_KEY" else ""
        lines.append(f"  {name} {said}.{how}")
    print("Letter Meadow does not start, its settings cannot be used:", *lines, sep="\n", file=sys.stderr)
    raise SystemExit(EX_CONFIG)
