"""However many runs become ready at once: each is rung for, and the broker has few messages for all of them."""

import base64
import json

import pytest

from agents.runs.tasks import ring
from foundation.ids import uuid7
from tests.workers import superuser


def rung() -> list[set[str]]:
    """The runs that each message in the broker's queue names; the queue is empty then."""
    with superuser() as database:
        rows = database.execute("DELETE FROM pgmq.q_remit RETURNING message->>'body'").fetchall()
    return [set(json.loads(base64.b64decode(row[0]))[0]) for row in rows]


@pytest.mark.parametrize(("many", "bells"), [(0, 0), (1, 1), (32, 32), (33, 32), (1_500, 32)])
def test_each_is_rung_for_and_bells_are_few(database: None, many: int, bells: int) -> None:
    runs = [uuid7() for _ in range(many)]
    rung()
    ring(*runs)
    named = rung()
    assert len(named) == bells
    assert sum(map(len, named)) == many
    assert set().union(*named) == {str(run) for run in runs}
    assert max(map(len, named), default=0) - min(map(len, named), default=0) <= 1, "each worker has its share"
