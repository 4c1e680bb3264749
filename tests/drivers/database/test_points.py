"""Any moment between two writes can be had back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from underway.drivers.clock.system import SystemClock
from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.points import PostgresPoints
from underway.drivers.database.postgres import PostgresDatabase
from underway.ports.copies import PartFile
from underway.terms.home import Home
from underway.terms.problem import Failure
from underway.terms.secret import Secret

WORD = Secret("correct-horse-1")


def test_a_restore_to_a_marked_second_has_the_write_before_it_and_not_the_one_after(
    new_home: Callable[[], Home], tmp_path: Path
) -> None:
    async def story() -> None:
        home = new_home()
        postgres = PostgresDatabase(home)
        points = PostgresPoints(home, postgres, SystemClock())
        at = await postgres.provision("shop", WORD)

        async def connect() -> asyncpg.Connection:
            return await asyncpg.connect(
                host=at.host, port=at.port, user=at.user, password=WORD.reveal(), database=at.database, timeout=5
            )

        with pytest.raises(Failure) as failed:
            await points.recover("shop", time.time(), str(tmp_path), ())
        assert failed.value.problem.code == "points.no-base"
        app = await connect()
        await app.execute("CREATE TABLE t (text text)")
        try:
            base = await points.base()
            assert points.span() == (base, base)  # to the moment: a rounded one would refuse what can be had
            await app.execute("INSERT INTO t VALUES ('before')")
            await asyncio.sleep(0.3)
            marked = (await app.fetchval("SELECT clock_timestamp()")).timestamp()
            assert marked > base
            await asyncio.sleep(0.3)
            await app.execute("INSERT INTO t VALUES ('after'); DELETE FROM t WHERE text = 'before'")
            os.kill(points._receiver.pid, signal.SIGKILL)  # that may not cost a moment
            await app.close()

            part = await points.recover("shop", marked, str(tmp_path), ())
            dumps = PostgresDumps(postgres)
            await dumps.restore_beside("shop", PartFile(str(tmp_path / part.file), part))
            await dumps.swap("shop", "former")
            app = await connect()
            assert [row[0] for row in await app.fetch("SELECT text FROM t")] == ["before"]
            await app.close()
            assert not list((home.root / "scratch").iterdir())

            span = points.span()
            assert span is not None
            for wrong in (span[0] - 100, time.time() + 100):
                with pytest.raises(Failure) as failed:
                    await points.recover("shop", wrong, str(tmp_path), ())
                assert failed.value.problem.code == "points.no-base"
        finally:
            await points.stop()

    asyncio.run(story())


def test_a_base_from_the_future_is_older_than_all_since_the_clock_was_set_back(tmp_path: Path) -> None:
    home = Home(tmp_path)
    points = PostgresPoints(home, PostgresDatabase(home), SystemClock())
    now = time.time()

    def base(at: float) -> None:
        (points._bases / f"{at:.6f}-0123456789").mkdir(parents=True)

    base(now + 90 * 86_400)
    assert points.span() is None, "the next look makes a new one"
    base(now - 20)
    base(now - 10)
    span = points.span()
    assert span is not None
    assert [round(now - at) for at in span] == [20, 10]
    assert [round(float(path.name.partition("-")[0]) - now) for path in points._all()] == [90 * 86_400, -20, -10]
