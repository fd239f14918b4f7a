"""What is assumed of budgets and policies, the statement that writes looks at: if it is not so, nothing stands."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models import F
from psycopg.errors import DivisionByZero

from agents.gate import Action, ActionKind, Settlement
from agents.runs.database import engine_connection
from agents.runs.journal import engine_transaction
from agents.tools.models import Tool
from foundation.batches import Batch
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget
from foundation.prepared import Sender
from governance import gate
from governance.budgets import engine
from governance.budgets.assumed import places_here
from governance.budgets.models import Budget
from governance.budgets.services import set_budget

EURO = 1_000_000


def limit(house: Any, most: int, scope: str = "organisation", period: str = "month") -> None:
    owned = {"organisation": house.organisation.id, "team": house.team.id, "agent": house.agent.id}[scope]
    with house.in_tenant():
        set_budget(
            actor=house.owner, scope=scope, scope_id=owned, target=GrantTarget.objects.get(pk=owned), limit=most,
            currency="EUR", period=period,
        )  # fmt: skip


def close(house: Any) -> None:
    """To what calls in flight hold: less is a conflict. What is spent already is then too much."""
    with house.in_tenant():
        held = Budget.objects.get(scope="organisation").reserved
    limit(house, held)


CHANGES: dict[str, Callable[[Any], None]] = {
    "a ceiling is lowered": close,
    "a team gets its first budget": lambda house: limit(house, 0, "team"),
    "a total comes beside the month": lambda house: limit(house, 0, "organisation", "total"),
    "a policy forbids it": lambda house: house.policy(
        "no", 'forbid (principal, action, resource == Tool::"witness.effect");'
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_changes_between_judgement_and_statement_is_seen(
    house: Any, say: Any, call: Any, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None]
) -> None:
    with house.in_tenant():
        Tool.objects.filter(name="witness.effect").update(price=EURO // 100)
    house.model.answers = {"worker": [call("witness.effect", note="once"), say("Done.")]}
    assert house.run(house.start()).state == "succeeded"
    assert len(house.lines()) == 1
    assumed: list[bool] = []
    real = gate.Doorkeeper.assume

    def meanwhile(self: Any, batch: Any, verdicts: Any, settlements: Any) -> Any:
        found = real(self, batch, verdicts, settlements)
        if not assumed and any(verdict.action.target == "witness.effect" for verdict in verdicts):
            assumed.append(found is not None)
            change(house)
        return found

    monkeypatch.setattr(gate.Doorkeeper, "assume", meanwhile)
    run = house.run(house.start())
    assert assumed == [True], "nothing was assumed: this proves nothing"
    assert len(house.lines()) == 1
    assert house.steps(run)[1].state == "refused"
    with house.in_tenant():
        assert [row.reserved for row in Budget.objects.all()] == [0] * Budget.objects.count()


def test_what_is_assumed_of_many_at_once_never_exceeds_the_ceiling_and_all_that_fits_is_let_through(house: Any) -> None:
    limit(house, 10 * EURO)
    action = act(house)
    with engine_transaction() as cursor:
        engine.open_run_budget(cursor, action)
        assert engine.reserve(cursor, action) == ""
    settled = [Settlement(organisation=action.organisation, decision=action.decision, run=action.run, cost=0)]
    assert assume([], settled)

    def one(_: int) -> bool:
        try:
            return assume([act(house, run=action.run)], [])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        let_through = list(pool.map(one, range(60)))
    assert let_through.count(True) == 10
    with house.in_tenant():
        whole = Budget.objects.get(scope="organisation")
    assert (whole.reserved, whole.settled, whole.overrun) == (10 * EURO, 0, 0)


def test_a_settlement_is_assumed_once(house: Any) -> None:
    limit(house, 10 * EURO)
    action = act(house)
    with engine_transaction() as cursor:
        engine.open_run_budget(cursor, action)
        assert engine.reserve(cursor, action) == ""
    settled = [Settlement(organisation=action.organisation, decision=action.decision, run=action.run, cost=EURO // 2)]
    assert [assume([], settled), assume([], settled)] == [True, False]
    with house.in_tenant():
        whole = Budget.objects.get(scope="organisation")
    assert (whole.reserved, whole.settled) == (0, EURO // 2)


def test_a_call_in_flight_at_the_turn_of_a_month_is_settled_in_the_former_and_the_next_is_held_in_the_new(
    house: Any,
) -> None:
    limit(house, 10 * EURO)
    first = act(house)
    with engine_transaction() as cursor:
        engine.open_run_budget(cursor, first)
        assert engine.reserve(cursor, first) == ""
    with house.in_tenant():
        Budget.objects.filter(period="month").update(starts_at=F("starts_at") - timedelta(days=40))
    half = Settlement(organisation=first.organisation, decision=first.decision, run=first.run, cost=EURO // 2)
    second, third = act(house, run=first.run), act(house, run=first.run)
    assert not assume([second], [half]), "the month that is known has gone by"
    with engine_transaction() as cursor:
        books = engine.Books.opened(cursor, [second], [half])
        assert (books.settle(half), books.reserve(second)) == (EURO // 2, "")
        batch = Batch(cursor)
        books.write(batch)
        batch.flush()
    assert assume([third], []), "only the new month pays"
    with house.in_tenant():
        months = Budget.objects.filter(scope="organisation").order_by("starts_at")
        assert [(row.settled, row.reserved) for row in months] == [(EURO // 2, 0), (0, 2 * EURO)]


def test_nothing_is_assumed_of_a_scope_that_nobody_has_seen(house: Any) -> None:
    limit(house, 10 * EURO)
    action = act(house)
    assert places_here.find(action.run) is None
    assert engine.Books.assumed([action], []) is None


def test_nothing_is_assumed_of_an_act_that_does_not_say_who_is_above_its_agent(house: Any) -> None:
    limit(house, 10 * EURO)
    action = act(house)
    with engine_transaction() as cursor:
        engine.open_run_budget(cursor, action)
        assert engine.reserve(cursor, action) == ""
    assert engine.Books.assumed([act(house, run=action.run)], []) is not None
    assert engine.Books.assumed([act(house, run=action.run, lineage=())], []) is None


def act(house: Any, **changes: Any) -> Action:
    """A model call of the house's agent."""
    given: dict[str, Any] = {
        "decision": uuid7(), "kind": ActionKind.MODEL_CALL, "organisation": house.organisation.id,
        "team": house.team.id, "agent": house.agent.id, "agent_slug": "worker", "agent_version": uuid7(),
        "agent_version_hash": "h", "principals": (house.agent.id,), "session": None, "run": uuid7(), "step": 1,
        "target": "small", "estimate": EURO, "run_budget": 1_000 * EURO,
        "lineage": (house.agent.id, house.team.id, house.organisation.id),
    }  # fmt: skip
    return Action(**given | changes)


def assume(actions: list[Action], settlements: list[Settlement]) -> bool:
    """Write acts and outcomes with one statement that looks for itself; whether they stand."""
    books = engine.Books.assumed(actions, settlements)
    assert books is not None
    for settlement in settlements:
        books.settle(settlement)
    assert [books.reserve(action) for action in actions] == [""] * len(actions)
    try:
        with engine_connection() as connection:
            batch = Batch(Sender(connection), is_raw=True)
            books.ask(batch)
            books.write(batch)
            batch.flush()
    except DivisionByZero:
        return False
    return True
