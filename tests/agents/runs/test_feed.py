"""Whoever listens is asked about again when access changed, also when nobody can read where."""

import asyncio

import psycopg
import pytest

from agents.runs.feed import ACCESS, Feed, serving_address
from foundation.ids import uuid7


@pytest.mark.django_db
def test_a_notice_that_nobody_can_read_is_for_everybody_and_the_next_one_is_heard() -> None:
    organisation = uuid7()

    async def listen() -> None:
        feed = Feed()
        try:
            with feed.subscribe(uuid7(), organisation) as bell:
                await asyncio.wait_for(bell.wait(), 10)
                for payload in ("?", str(organisation), "", str(organisation)):
                    before = feed.changes(organisation)
                    bell.clear()
                    tell(payload)
                    await asyncio.wait_for(bell.wait(), 10)
                    assert feed.changes(organisation) != before
        finally:
            await feed.close()

    asyncio.run(listen())


def tell(payload: str) -> None:
    """Whoever is connected may say this."""
    with psycopg.connect(serving_address(), autocommit=True) as connection:
        connection.execute("SELECT pg_notify(%s, %s)", [ACCESS, payload])
