"""The first rows of a list by id, out of however many there are, for whoever sees all, little, or nothing recent.

A filter that asks of each row whether it may be seen is slow for who sees much, but nothing recent. Here each team that
a principal reaches gives its own first rows in order, and the agents that it reaches by themselves give theirs: the
first of all these are the page. What a page costs hangs on how many nodes are reached, not on how many rows there are.
"""

from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.lookups import Exact
from django.db.models.sql.where import AND, ExtraWhere

from foundation.access.reach import NONE, Covered, Reach
from foundation.tenancy.instances import instances


class Places(NamedTuple):
    """Where a model's rows stand by the node that they hang on: a table with an index on (node, row).

    `is_node`: a row is itself the node of an agent; otherwise the table names the agents' nodes too.
    """

    table: str
    node: str
    row: str
    is_node: bool


_HELD = """SELECT h.content_object_id FROM access_holding h WHERE h.principal_id = %s AND h.permission_id = %s
    AND (h.expires_at IS NULL OR h.expires_at > now())"""
_TEAMS = "SELECT unnest(%s::uuid[]) AS id"
_AGENTS = f"SELECT t.id FROM organisations_granttarget t WHERE t.kind = 'agent' AND t.id IN ({_HELD})"  # noqa: S608 - ours
_OF_NODE = """SELECT x.id FROM ({nodes}) n CROSS JOIN LATERAL (
    SELECT p.{row} AS id FROM {table} p WHERE p.{node} = n.id{bounds} ORDER BY p.{row} {order} LIMIT %s) x"""
# The holdings of one permission stand in the order of their targets.
_OF_OWN = """(SELECT p.{row} AS id FROM access_holding h JOIN {table} p ON p.{row} = h.content_object_id
    WHERE h.principal_id = %s AND h.permission_id = %s AND (h.expires_at IS NULL OR h.expires_at > now()){bounds}
    ORDER BY h.content_object_id {order} LIMIT %s)"""


def first_rows(rows: QuerySet[Any], count: int, *, descending: bool = True) -> list[Any]:
    """The first rows by id, permitted as `rows` says: one statement, flat in the number of rows."""
    ordered = rows.order_by("-id" if descending else "id")
    places = getattr(rows.model, "places", None)
    covered = _covered(rows)
    if places is None or covered is None or covered.lhs.reach.teams is None:
        return instances(ordered[:count])
    query = ordered.query
    query.where.children = [one for one in query.where.children if one is not covered]
    first, values = _first(ordered, places, covered.lhs.reach, count, descending=descending)
    # As filter() and a slice would have it, which each make a query of their own: that is felt on every page.
    meta = rows.model._meta
    query.where.add(ExtraWhere([f'"{meta.db_table}"."{meta.pk.column}" IN ({first})'], values), AND)
    query.set_limits(high=count)
    return instances(ordered)


def _covered(rows: QuerySet[Any]) -> Any:
    """The condition that `permitted()` has added, where it stands alone beside others that all must hold."""
    where = rows.query.where
    if where.connector != "AND" or where.negated or rows.query.distinct or rows.query.is_sliced:
        return None
    found = [one for one in where.children if isinstance(one, Exact) and isinstance(one.lhs, Covered)]
    return found[0] if len(found) == 1 else None


def _first(bare: QuerySet[Any], places: Places, reach: Reach, count: int, *, descending: bool) -> tuple[str, list[Any]]:
    """The statement that gives the ids of the first rows, and its values."""
    bounds, bound_values = _bounds(bare, places)
    order = "DESC" if descending else "ASC"
    words = {"row": places.row, "table": places.table, "node": places.node, "bounds": bounds, "order": order}
    last = [*bound_values, count]
    own = _OF_OWN.format(**words) if places.is_node else _OF_NODE.format(nodes=_AGENTS, **words)
    own_values = [reach.principal, reach.permission, *last]
    if reach.teams == NONE and places.is_node:
        # In order, and no more than are wanted: to plan more than that costs as much as to find them.
        return own.strip("()"), own_values
    parts, values = [_OF_NODE.format(nodes=_TEAMS, **words)], [reach.teams, *last]
    if reach.agents:
        parts.append(own)
        values += own_values
    statement = f"SELECT f.id FROM ({' UNION '.join(parts)}) f ORDER BY f.id {order} LIMIT %s"  # noqa: S608 - names of ours
    return statement, [*values, count]


def _bounds(bare: QuerySet[Any], places: Places) -> tuple[str, list[Any]]:
    """What else the list asks for, of one row at a time; the organisation is the nodes' own."""
    conditions: list[Any] = list(bare.query.where.children)
    others = [one for one in conditions if getattr(getattr(one, "lhs", None), "target", None) is None
              or one.lhs.target.attname != "organisation_id"]  # fmt: skip
    if not others:
        return "", []
    simple = [_after(one, places) for one in others]
    if all(simple):
        return "".join(f" AND {text}" for text, _ in simple), [value for _, value in simple]
    matching = bare.order_by().filter(pk=RawSQL(f"p.{places.row}", [])).values("pk")  # noqa: S611 - a name of ours
    statement, values = matching.query.sql_with_params()
    before = [one for one in simple if one]
    texts = [text for text, _ in before] + [f"EXISTS ({statement})"]
    return "".join(f" AND {text}" for text in texts), [*(value for _, value in before), *values]


def _after(condition: Any, places: Places) -> Any:
    """A bound of the page itself (`id < …`) as the index takes it; None for any other condition."""
    signs = {"lt": "<", "gt": ">"}
    target = getattr(getattr(condition, "lhs", None), "target", None)
    sign = signs.get(getattr(condition, "lookup_name", ""))
    if target is None or sign is None or not target.primary_key:
        return None
    return f"p.{places.row} {sign} %s", condition.rhs
