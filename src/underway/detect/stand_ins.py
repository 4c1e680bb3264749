"""What a required variable holds while its owner has said nothing: something of the right shape that opens nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from types import MappingProxyType

from underway.detect.env_names import is_third_party, seems_secret
from underway.detect.env_usual import UNUSED_PORT
from underway.manifest.env_keys import EnvVar
from underway.manifest.hosts import with_own_names
from underway.manifest.model import Manifest

_ADDRESS = re.compile(r"(?:^|_)(?:UR[LI]|ENDPOINT|ORIGIN)S?$", re.IGNORECASE)
_HOST = re.compile(r"(?:^|_)(?:HOST|HOSTNAME|SERVER|DOMAIN)$", re.IGNORECASE)
_MAILBOX = re.compile(r"(?:^|_)(?:E?MAIL|FROM|SENDER|RECIPIENT|MAIL_USER|EMAIL_USER)$", re.IGNORECASE)
_SWITCH = re.compile(r"(?:^|_)(?:USE|ENABLED?|DISABLED?|TLS|SSL|IS|SECURE)(?:_|$)", re.IGNORECASE)
_PLACE = re.compile(
    r"(?:^|_)DSN$|(?:DB|DATABASE|MYSQL|MARIADB|MONGO\w*|RABBITMQ|AMQP|KAFKA|NEO4J|REDIS)_", re.IGNORECASE
)


def stand_in(name: str, variable: EnvVar) -> EnvVar | None:
    """What stands in for `name`; None where nothing can, as for the address of a server that is not there.

    A key, token or password is a random one, made once for the app: whoever checks it refuses it, and nobody can guess
    what it signs. An address is one where nobody answers, or the app's own where it is not somebody else's.
    """
    if re.search(r"(?:^|_)DSN$", name):
        return EnvVar()  # of Sentry and its like, which take an empty one for none
    if _PLACE.search(name):
        return None
    if variable.choices:
        return EnvVar(value=variable.choices[0])
    kind = {"int": "0", "float": "0", "port": UNUSED_PORT, "bool": "False"}.get(variable.type, "")
    if kind:
        return EnvVar(value=kind)
    if _ADDRESS.search(name):
        theirs = is_third_party(name) or variable.secret
        return EnvVar(value=f"http://127.0.0.1:{UNUSED_PORT}" if theirs else "${url}")
    if seems_secret(name) or variable.secret:
        return EnvVar(generate="urlsafe", secret=True)
    if _HOST.search(name):
        return EnvVar(value="127.0.0.1" if is_third_party(name) else "${host}")
    if _SWITCH.search(name):
        return EnvVar(value="False")
    return EnvVar(value="nobody@localhost" if _MAILBOX.search(name) else "unset")


def stood_in(manifest: Manifest, names: Collection[str], http_port: int) -> tuple[Manifest, tuple[str, ...]]:
    """The manifest with something in the place of each of `names`, or without it; and those that something stands in
    for. `http_port` is the proxy's."""
    env = dict(manifest.env)
    done = []
    for name in names:
        instead = stand_in(name, env.pop(name))
        if instead is not None:
            env[name] = instead
            done.append(name)
    return with_own_names(replace(manifest, env=MappingProxyType(env)), http_port=http_port), tuple(done)


def said_of(names: Collection[str]) -> str:
    """What is claimed about what stands in for `names`."""
    which = f"{', '.join(sorted(names))}: made up" if len(names) > 1 else f"{next(iter(names))} is made up"
    return f"{which} until you set {'them' if len(names) > 1 else 'it'}; what needs the real one fails"
