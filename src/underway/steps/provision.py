from __future__ import annotations

import msgspec

from underway.ports.drivers import Drivers
from underway.steps.environment import DATABASE_PASSWORD, cache_password
from underway.steps.step import Act, Did
from underway.terms.problem import Failure, Problem


class ProvisionPostgres(msgspec.Struct, frozen=True, kw_only=True, tag="provision_postgres", tag_field="step"):
    """Give the app a PostgreSQL database and role of its own."""

    extensions: tuple[str, ...] = ()
    is_new: bool = False

    id: str = "provision_postgres"
    is_one_way: bool = False

    def says(self) -> str:
        named = f" with {', '.join(self.extensions)}" if self.extensions else ""
        return f"make a PostgreSQL database{named}" if self.is_new else f"check the PostgreSQL database{named}"

    def undo_says(self) -> str:
        return "nothing to undo: an empty database stays for the next try" if self.is_new else "nothing to undo"

    async def apply(self, act: Act, on: Drivers) -> Did:
        await on.database.start()
        if missing := await on.database.missing_extensions(self.extensions):
            raise Failure(missing_extensions(missing))
        password = on.vault.ensure(act.app, DATABASE_PASSWORD, "password")
        address = await on.database.provision(act.app, password, self.extensions)
        return Did(result=("made on " if address.was_created else "") + address.server)

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


def missing_extensions(names: tuple[str, ...]) -> Problem:
    return Problem(
        code="postgres.extension-missing",
        where="services.postgres.extensions",
        why=f"this PostgreSQL does not have {', '.join(names)}",
        remedy="install Debian's PostgreSQL, which has them, before the first deploy (the home's server is then made"
        " with it), or name a server of your own in [services.postgres] url",
        command="apt-get install postgresql",
    )


class ProvisionRedis(msgspec.Struct, frozen=True, kw_only=True, tag="provision_redis", tag_field="step"):
    """Give the app a Redis-protocol server of its own."""

    is_new: bool = False
    has_password: bool = True

    id: str = "provision_redis"
    is_one_way: bool = False

    def says(self) -> str:
        lacking = "" if self.has_password else " without a password, open to every user of this machine"
        return f"start a Redis server{lacking}" if self.is_new else f"check the Redis server{lacking}"

    def undo_says(self) -> str:
        return "nothing to undo: an empty server stays for the next try" if self.is_new else "nothing to undo"

    async def apply(self, act: Act, on: Drivers) -> Did:
        address = await on.cache.provision(act.app, cache_password(act.app, self.has_password, on))
        return Did(result=address.server)

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()
