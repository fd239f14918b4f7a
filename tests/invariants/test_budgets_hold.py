"""Budgets hold: at every commit settled + reserved ≤ limit; what is unknown refuses, what fits does not."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import IntegrityError, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.gate import Action, ActionKind, Settlement
from agents.runs.journal import engine_transaction
from foundation.errors import ConflictError, InvalidError
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget, Team
from foundation.organisations.services import create_team
from governance.budgets import engine
from governance.budgets.models import Budget
from governance.budgets.services import set_budget

EURO = 1_000_000


@pytest.fixture
def act(house: Any) -> Callable[..., Action]:
    """An act of the house's agent in a run that has its budget open."""

    def make(estimate: int | None = EURO, run_budget: int = 1_000 * EURO, **changes: Any) -> Action:
        action = Action(
            decision=uuid7(), kind=ActionKind.MODEL_CALL, organisation=house.organisation.id, team=house.team.id,
            agent=house.agent.id, agent_slug="worker", agent_version=uuid7(), agent_version_hash="h",
            principals=(house.agent.id,), session=None, run=uuid7(), step=1, target="small", estimate=estimate,
            run_budget=run_budget,
        )  # fmt: skip
        action = replace(action, **changes)
        with engine_transaction() as cursor:
            engine.open_run_budget(cursor, action)
        return action

    return make


def reserve(action: Action) -> str:
    with engine_transaction() as cursor:
        return engine.reserve(cursor, action)


def settle(action: Action, cost: int | None, *, sent: bool = True) -> int:
    with engine_transaction() as cursor:
        return engine.settle(
            cursor, Settlement(organisation=action.organisation, decision=action.decision, run=action.run, cost=cost,
                               sent=sent),
        )  # fmt: skip


def budget(scope_id: UUID) -> Budget:
    return Budget.objects.using("engine").filter(scope_id=scope_id).order_by("-starts_at").first()


@pytest.fixture
def as_superuser() -> Iterator[psycopg.Connection[Any]]:
    name = os.environ["DATABASE_URL"].rpartition("/")[2]
    with psycopg.connect(os.environ["REMIT_TEST_SUPERUSER"].rpartition("/")[0] + f"/{name}", autocommit=True) as own:
        yield own


@pytest.mark.slow
def test_two_hundred_at_once_fill_the_budget_and_no_more(house: Any, act: Any, as_superuser: Any) -> None:
    actions = [act(estimate=EURO // 10) for _ in range(200)]  # 10 EUR: a hundred of them fit
    over, seen = Event(), []

    def watch() -> None:
        while not over.is_set():
            seen.append(as_superuser.execute(
                'SELECT count(*) FROM budgets_budget WHERE organisation_id = %s AND settled + reserved > "limit"',
                [house.organisation.id],
            ).fetchone()[0])  # fmt: skip

    def work(action: Action) -> str:
        try:
            refusal = reserve(action)
            if not refusal and action.decision.int % 2:
                settle(action, EURO // 10)
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as watcher, ThreadPoolExecutor(50) as pool:
        watching = watcher.submit(watch)
        refusals = list(pool.map(work, actions))
        over.set()
        watching.result()
    assert len(seen) > 1
    assert set(seen) == {0}
    assert refusals.count("") == 100, "as many as fit, neither more nor fewer"
    row = budget(house.organisation.id)
    assert row.settled + row.reserved == 10 * EURO


def test_nothing_that_fits_is_refused_while_others_give_back(act: Any) -> None:
    def work(action: Action) -> str:
        try:
            refusal = reserve(action)
            if not refusal:
                settle(action, 0)
            return refusal
        finally:
            connections.close_all()

    # Eight at once never need more than 8 EUR of the 10, whatever the order.
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, [act() for _ in range(64)])) == {""}


def test_what_nobody_holds_is_not_booked(act: Any) -> None:
    action = act()
    assert settle(action, EURO) == 0, "it was never held"
    reserve(action)
    assert settle(action, EURO // 2) == EURO // 2
    assert settle(action, EURO) == 0, "it is settled already"


@given(moves=st.lists(st.tuples(st.sampled_from(["reserve", "settle", "release", "over", "unknown", "limit"]),
                                st.integers(0, 4 * EURO)), max_size=25))  # fmt: skip
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.slow
def test_any_order_of_moves_keeps_the_books(make_house: Any, moves: list[tuple[str, int]], as_superuser: Any) -> None:
    house = make_house()
    held: list[tuple[Action, int]] = []
    booked = 0
    run = uuid7()
    for move, amount in moves:
        if move == "limit":
            try:
                with house.in_tenant():
                    set_budget(
                        actor=house.owner,
                        scope="organisation",
                        scope_id=house.organisation.id,
                        target=GrantTarget.objects.get(pk=house.organisation.id),
                        limit=amount,
                        currency="EUR",
                    )
            except ConflictError:
                assert amount < sum(one for _, one in held)
        elif move == "reserve":
            action = Action(
                decision=uuid7(), kind=ActionKind.MODEL_CALL, organisation=house.organisation.id, team=house.team.id,
                agent=house.agent.id, agent_slug="worker", agent_version=run, agent_version_hash="h",
                principals=(house.agent.id,), session=None, run=run, step=1, target="small", estimate=amount,
                run_budget=1_000 * EURO,
            )  # fmt: skip
            with engine_transaction() as cursor:
                engine.open_run_budget(cursor, action)
            if not reserve(action) and amount:
                held.append((action, amount))
        elif held:
            action, amount_held = held.pop()
            cost = {"settle": min(amount, amount_held), "over": amount_held + amount, "unknown": None}.get(move, 0)
            booked += settle(action, cost, sent=move != "release")
        row = budget(house.organisation.id)
        assert row.settled + row.reserved <= row.limit
        assert row.settled + row.overrun == booked
        assert row.reserved == sum(one for _, one in held)
    entries = as_superuser.execute(
        "SELECT coalesce(sum(amount), 0) FROM budgets_ledgerentry WHERE organisation_id = %s "
        "AND kind IN ('settle', 'overrun')", [house.organisation.id],
    ).fetchone()  # fmt: skip
    assert entries[0] == booked


def test_what_is_unknown_refuses(house: Any, act: Any) -> None:
    assert "no price" in reserve(act(estimate=None))
    assert "in EUR, the price in USD" in reserve(act(currency="USD"))
    assert "has no budget" in reserve(replace(act(), run=uuid7()))
    assert "has no budget" in reserve(replace(act(), agent=uuid7()))
    assert "has no budget" in reserve(replace(act(), organisation=uuid7()))
    assert "above" in reserve(act(line=(uuid7(),)))
    assert budget(house.organisation.id).reserved == 0


def test_what_is_unknown_of_the_cost_is_booked_as_held(house: Any, act: Any) -> None:
    action = act()
    reserve(action)
    assert settle(action, None) == EURO
    assert settle(action, None) == 0, "once"
    assert budget(house.organisation.id).settled == EURO


def test_no_cost_gives_money_back(house: Any, act: Any) -> None:
    """An endpoint that counts fewer than no tokens would fill the budget again, and again."""
    spent, other = act(), act()
    reserve(spent)
    settle(spent, EURO)
    reserve(other)
    assert settle(other, -EURO) == EURO, "booked as held, as what nobody knows"
    assert budget(house.organisation.id).settled == 2 * EURO


def test_what_was_never_sent_is_released(house: Any, act: Any) -> None:
    action = act()
    reserve(action)
    assert settle(action, None, sent=False) == 0
    row = budget(house.organisation.id)
    assert (row.settled, row.reserved) == (0, 0)


def test_an_overrun_is_booked_apart_and_closes_until_a_person_looks(house: Any, act: Any) -> None:
    action = act()
    reserve(action)
    assert settle(action, EURO + 5) == EURO + 5
    row = budget(house.organisation.id)
    assert (row.settled, row.overrun) == (EURO, 5)
    assert "was exceeded by 0.000005 EUR" in reserve(act())
    with house.in_tenant():
        for scope, target in (("organisation", house.organisation.id), ("agent", house.agent.id)):
            set_budget(actor=house.owner, scope=scope, scope_id=target, target=GrantTarget.objects.get(pk=target),
                       limit=10 * EURO, currency="EUR")  # fmt: skip
    row = budget(house.organisation.id)
    assert (row.settled, row.overrun) == (EURO + 5, 0)
    assert reserve(act()) == ""


def test_a_lowered_limit_closes_at_once_and_stays_low(house: Any, act: Any) -> None:
    spent, held = act(4 * EURO), act(2 * EURO)
    reserve(spent)
    settle(spent, 4 * EURO)
    reserve(held)
    root = {"scope": "organisation", "scope_id": house.organisation.id, "currency": "EUR"}

    def lower(limit: int) -> None:
        with house.in_tenant():
            set_budget(actor=house.owner, target=GrantTarget.objects.get(pk=house.organisation.id), limit=limit, **root)

    with pytest.raises(ConflictError, match="in flight"):
        lower(EURO)
    lower(3 * EURO)
    row = budget(house.organisation.id)
    assert (row.limit, row.settled, row.reserved, row.overrun) == (3 * EURO, EURO, 2 * EURO, 3 * EURO)
    assert reserve(act(1)) != ""
    settle(held, 0)
    assert reserve(act(1)) != "", "four are spent of three"
    lower(5 * EURO)
    assert reserve(act(EURO)) == ""
    assert reserve(act(1)) != ""


def test_a_new_month_begins_anew_for_each_monthly_budget(house: Any, act: Any, as_superuser: Any) -> None:
    action = act(9 * EURO)
    reserve(action)
    settle(action, None)
    with house.in_tenant():  # a total, too: it does not stand for the month's
        set_budget(actor=house.owner, scope="organisation", scope_id=house.organisation.id, period="total",
                   target=GrantTarget.objects.get(pk=house.organisation.id), limit=100 * EURO,
                   currency="EUR")  # fmt: skip
    assert "budget of the" in reserve(act(2 * EURO))
    as_superuser.execute(
        "UPDATE budgets_budget SET starts_at = starts_at - interval '1 month' "
        "WHERE organisation_id = %s AND period = 'month'", [house.organisation.id],
    )  # fmt: skip
    assert reserve(act(2 * EURO)) == ""
    now = Budget.objects.using("engine").filter(scope_id=house.organisation.id, period="month").order_by("-starts_at")
    assert [row.reserved for row in now] == [2 * EURO, 0]
    assert [row.limit for row in now] == [10 * EURO, 10 * EURO]
    assert "budget of the" in reserve(act(9 * EURO)), "the month's ceiling holds beside the total"


def test_a_month_that_begins_for_many_at_once_begins_once(house: Any, act: Any, as_superuser: Any) -> None:
    actions = [act(EURO) for _ in range(30)]
    as_superuser.execute(
        "UPDATE budgets_budget SET starts_at = starts_at - interval '1 month' "
        "WHERE organisation_id = %s AND period = 'month'", [house.organisation.id],
    )  # fmt: skip

    def work(action: Action) -> str:
        try:
            return reserve(action)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(15) as pool:
        assert list(pool.map(work, actions)).count("") == 10
    assert Budget.objects.using("engine").filter(scope_id=house.organisation.id).count() == 2


def test_the_team_above_the_team_pays_too(house: Any, act: Any) -> None:
    with house.in_tenant():
        above = create_team(actor=house.owner, organisation=house.organisation, slug="above", name="Above")
        Team.objects.filter(pk=house.team.pk).update(parent=above)
        for node in (house.team.id, house.agent.id):
            target = GrantTarget.objects.get(pk=node)
            GrantTarget.objects.filter(pk=node).update(lineage=[*target.lineage[:-1], above.id, target.lineage[-1]])
        set_budget(actor=house.owner, scope="team", scope_id=above.id, target=above.target, limit=EURO, currency="EUR")
    assert reserve(act(EURO)) == ""
    assert "budget of the team" in reserve(act(1))


def test_what_a_child_spends_counts_against_the_runs_above(act: Any) -> None:
    parent = act(estimate=1, run_budget=EURO)
    assert reserve(act(estimate=EURO, line=(parent.run,))) == ""
    assert "budget of the run" in reserve(act(estimate=1, line=(parent.run,)))
    assert "budget of the run" in reserve(parent)


def test_the_database_itself_refuses_more_than_the_limit(house: Any) -> None:
    for column in ("settled", "reserved"):
        with (
            pytest.raises(IntegrityError),
            transaction.atomic(using="engine"),
            connections["engine"].cursor() as cursor,
        ):
            cursor.execute(f'UPDATE budgets_budget SET {column} = "limit" + 1 WHERE scope_id = %s', [house.agent.id])


def test_budgets_are_in_the_organisations_currency(house: Any) -> None:
    with house.in_tenant(), pytest.raises(InvalidError, match="EUR"):
        set_budget(actor=house.owner, scope="team", scope_id=house.team.id, target=house.team.target, limit=1,
                   currency="USD")  # fmt: skip


def test_a_worker_that_dies_in_a_model_call_has_it_booked_as_held(house: Any, say: Any, monkeypatch: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    run = house.start()

    def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as context:
        context.setattr("agents.runs.calls.call_model", die)
        with pytest.raises(SystemExit):
            house.run(run)
    held = budget(house.organisation.id).reserved
    assert held > 0
    with house.in_tenant():
        type(run).objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00Z")
    assert house.run(run).state == "succeeded"
    row = budget(house.organisation.id)
    assert (row.reserved, row.settled) == (0, held + 110)
