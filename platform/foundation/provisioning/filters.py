"""Filters: what the database can narrow, it narrows; the filter itself then decides on each resource."""

from collections.abc import Callable
from uuid import UUID

from django.db.models import Q
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from foundation.provisioning.models import ProvisionedResource

_Narrow = Callable[[str], Q]


def narrowed(node: FilterNode) -> Q:
    """A condition on principals that every match fulfils; an empty one where the database cannot tell."""
    if isinstance(node, LogicalExpr):
        if node.op == LogicalOperator.and_:
            return Q(*(part for term in node.terms if (part := narrowed(term))))
        return Q()
    if isinstance(node, Comparison) and node.op == CompareOperator.eq and isinstance(node.value, str):
        name = f"{node.attr_path.attr}.{node.attr_path.sub_attr}" if node.attr_path.sub_attr else node.attr_path.attr
        narrow = _EQUAL.get(name.lower())
        return narrow(node.value) if narrow else Q()
    return Q()


def _named(value: str) -> Q:
    kept = ProvisionedResource.objects.filter(user_name__iexact=value).values("principal_id")
    return Q(id__in=kept) | Q(directory=False, memberships__user__email__iexact=value)


def _external(value: str) -> Q:
    return Q(id__in=ProvisionedResource.objects.filter(external_id=value).values("principal_id"))


def _identified(value: str) -> Q:
    try:
        return Q(id=UUID(value))
    except ValueError:
        return Q(id__in=[])


_EQUAL: dict[str, _Narrow] = {"username": _named, "externalid": _external, "id": _identified}
