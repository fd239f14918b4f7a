"""What a grant can point at, as a page offers it for choosing."""

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import QuerySet

from foundation.access.models import Grant
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.organisations.models import GrantTarget


def covered_targets(actor: Actor, permission: Permission) -> QuerySet[GrantTarget]:
    """The organisation, teams and agents on which this actor holds a permission, by kind and name."""
    if actor.organisation is None or (actor.scopes is not None and permission not in actor.scopes):
        return GrantTarget.objects.none()
    nodes = GrantTarget.objects.filter(organisation_id=actor.organisation).order_by("-kind", "name")
    grants = Grant.objects.live().of(actor).holding(permission)
    return nodes.filter(lineage__overlap=ArraySubquery(grants.values("target_id")))
