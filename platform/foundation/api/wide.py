"""Rows without a target of their own: they belong to the whole organisation."""

from typing import Self, TypeVar

from django.db.models import Exists, Model

from foundation.access.models import Grant, PermittedQuerySet
from foundation.actors import Actor, ActorKind

M = TypeVar("M", bound=Model, covariant=True)


class WideQuerySet(PermittedQuerySet[M]):
    """Viewing needs the permission anywhere in the organisation, everything else a grant on the organisation itself.

    With `narrow` even viewing needs a grant on the organisation, as for the record.
    """

    narrow = False

    def permitted(self, actor: Actor, permission: str) -> Self:
        """The rows on which this actor holds this permission."""
        rows = self.filter(organisation_id=actor.organisation)
        if actor.scopes is not None and permission not in actor.scopes:
            return rows.none()
        if actor.kind is ActorKind.SYSTEM:
            return rows
        if actor.principal is None:
            return rows.none()
        grants = Grant.objects.using(self.db).live().of(actor).holding(permission)
        anywhere = permission.endswith(".view") and not self.narrow
        return rows.filter(Exists(grants if anywhere else grants.on_organisation()))


class NarrowQuerySet(WideQuerySet[M]):
    """The same, and even viewing needs a grant on the organisation."""

    narrow = True
