"""`env push`, `pull` and `sync` on this machine: the place is asked from here, with the tokens of whoever asks."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from underway.drivers.place_memory.file import FilePlaceMemory
from underway.drivers.places.make import open_place
from underway.ports.place_memory import PlaceMemory
from underway.ports.places import Place
from underway.terms.home import Home
from underway.terms.place import PlaceAddress
from underway.terms.secret import Secret


@contextlib.asynccontextmanager
async def place_and_memory(
    address: PlaceAddress, home: Home, environ: Mapping[str, str], kept: Mapping[str, Secret], root: Path
) -> AsyncIterator[tuple[Place, PlaceMemory]]:
    """Raises `Refusal` (`place.no-token`, `place.url`)."""
    async with open_place(address, environ, kept, root) as place:
        yield place, FilePlaceMemory(home)
