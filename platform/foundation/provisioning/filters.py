"""Filters: what the database can narrow, it narrows; the filter itself then decides on each resource that is left."""

from collections.abc import Callable
from functools import reduce
from operator import and_, or_
from uuid import UUID

from django.db.models import BooleanField, F, Func, Q, QuerySet, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator, ValuePath

from foundation.provisioning.models import ProvisionedResource

_Narrow = Callable[[str], Q]


class _HasAddress(Func):
    """Whether an address stands under `emails`; no error where that is no list."""

    template = "EXISTS (SELECT FROM jsonb_path_query(%(expressions)s))"
    arg_joiner = ", '$.emails[*].value') one WHERE lower(one #>> '{}') = lower("
    output_field = BooleanField()


def narrowed(node: FilterNode, within: str = "") -> Q:
    """A condition on principals that every match fulfils; an empty one where the database cannot tell.

    `within` is the attribute whose values are looked at one by one: `emails[value eq "…"]`.
    """
    match node:
        case LogicalExpr(op=LogicalOperator.and_):
            return reduce(and_, (narrowed(term, within) for term in node.terms), Q())
        case LogicalExpr(op=LogicalOperator.or_):
            terms = [narrowed(term, within) for term in node.terms]
            return reduce(or_, terms) if all(terms) else Q()
        case ValuePath(sub_attr=None) if not within:
            return narrowed(node.val_filter, node.attr_path.attr)
        case Comparison(op=CompareOperator.eq, value=str()):
            path = node.attr_path
            narrow = _EQUAL.get(".".join(part for part in (within, path.attr, path.sub_attr) if part).lower())
            return narrow(node.value) if narrow else Q()
    return Q()


def _ignoring_case(narrow: _Narrow) -> _Narrow:
    """How other letters are lowered hangs on the database's locale: there the filter decides alone."""
    return lambda value: narrow(value) if value.isascii() else Q()


def _of(kept: QuerySet[ProvisionedResource]) -> Q:
    return Q(id__in=kept.values("principal_id"))


def _named(value: str) -> Q:
    # As the index has it.
    kept = ProvisionedResource.objects.exclude(user_name="").filter(Exact(Lower("user_name"), Lower(Value(value))))
    return _of(kept) | Q(directory=False, memberships__user__email__iexact=value)


def _shown(value: str) -> Q:
    kept = ProvisionedResource.objects.filter(Exact(Lower(KT("attributes__displayName")), Lower(Value(value))))
    return _of(kept) | Q(name__iexact=value)


def _addressed(value: str) -> Q:
    kept = ProvisionedResource.objects.filter(_HasAddress(F("attributes"), Value(value)))
    return _of(kept) | Q(memberships__user__email__iexact=value)


def _external(value: str) -> Q:
    return _of(ProvisionedResource.objects.filter(external_id=value))


def _identified(value: str) -> Q:
    try:
        return Q(id=UUID(value))
    except ValueError:
        return Q(id__in=[])


_EQUAL: dict[str, _Narrow] = {
    "username": _ignoring_case(_named),
    "displayname": _ignoring_case(_shown),
    "emails.value": _ignoring_case(_addressed),
    "externalid": _external,
    "id": _identified,
}
