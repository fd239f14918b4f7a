"""Rows that are read whole are what Django would make of them, whatever else a query asks for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F, Prefetch

from agents.registry.models import Agent, AgentVersion
from foundation.organisations.models import Team
from foundation.tenancy.instances import instances

QUERIES: dict[str, Callable[[Any], Any]] = {
    "plain": lambda rows: rows,
    "with what a row is related to": lambda rows: rows.select_related("team"),
    "some columns": lambda rows: rows.only("name"),
    "without a column": lambda rows: rows.defer("purpose"),
    "with a column more": lambda rows: rows.annotate(twice=F("name")),
    "with others beside": lambda rows: rows.prefetch_related(Prefetch("versions", AgentVersion.objects.order_by("id"))),
    "as dictionaries": lambda rows: rows.values("id", "name"),
    "as lists": lambda rows: rows.values_list("id", flat=True),
}


def told(row: Any) -> Any:
    if not isinstance(row, Agent):
        return row
    known = {name: value for name, value in vars(row).items() if not name.startswith("_")}
    return known, sorted(row._state.fields_cache), vars(row).get("_prefetched_objects_cache", {}).keys()


@pytest.mark.parametrize("asks", QUERIES)
def test_they_are_as_a_list_would_have_them(make_house: Any, asks: str) -> None:
    house = make_house()
    with house.in_tenant():
        rows = QUERIES[asks](Agent.objects.order_by("id"))
        found = instances(rows.all())
        assert found
        assert [told(row) for row in found] == [told(row) for row in rows.all()]
        assert [(row._state.db, row._state.adding) for row in found if isinstance(row, Agent)] == [
            (row._state.db, row._state.adding) for row in rows.all() if isinstance(row, Agent)
        ]


def test_known_relations_stay_known(make_house: Any, django_assert_num_queries: Any) -> None:
    house = make_house()
    with house.in_tenant():
        team = Team.objects.get(id=house.team.id)
        found = instances(team.agents.all())
        assert found
        with django_assert_num_queries(0):
            assert {id(row.team) for row in found} == {id(team)}


def test_what_was_read_can_be_saved(make_house: Any) -> None:
    house = make_house()
    with house.in_tenant():
        (agent,) = instances(Agent.objects.filter(id=house.agent.id))
        agent.purpose = "Another."
        agent.save(update_fields=["purpose"])
        assert Agent.objects.get(id=agent.id).purpose == "Another."
