"""Whoever listens is asked about again when access changed, also when nobody can read where; and hears facts only."""

import asyncio
import json
from typing import Any

import psycopg
import pytest

from agents.runs.feed import ACCESS, Feed, serving_address
from agents.runs.models import Event
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


def test_a_stream_holds_facts_and_never_what_was_said(house: Any) -> None:
    run = house.start()
    said = {"step": 1, "state": "failed", "quoted": "what somebody wrote"}
    Event.objects.using("engine").create(
        run_id=run.id, number=2, organisation_id=house.organisation.id, kind="step.failed", data=said
    )

    async def read() -> list[str]:
        feed = Feed()
        try:
            return [line.text for line in await feed.events(house.organisation.id, run.id, 0)]
        finally:
            await feed.close()

    [begun, failed] = map(json.loads, asyncio.run(read()))
    assert (begun["kind"], begun["data"]) == ("run.queued", {})
    assert (failed["number"], failed["data"]) == (2, {"step": 1, "state": "failed"})


def tell(payload: str) -> None:
    """Whoever is connected may say this."""
    with psycopg.connect(serving_address(), autocommit=True) as connection:
        connection.execute("SELECT pg_notify(%s, %s)", [ACCESS, payload])
