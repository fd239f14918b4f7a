"""What every tenant's row is made of."""

from typing import Any

from django.db import models
from django.db.models.functions import Now

from foundation.ids import uuid7


class TenantForeignKey(models.ForeignKey[Any, Any]):
    """A foreign key between rows of one organisation.

    Django's single-column constraint does not see row-level security: a row could point at another
    tenant's. So it makes none; `IsolateTenant` adds the constraint (organisation, key) in the database.
    """

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False
        super().__init__(to, on_delete, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Without the constraint argument, which is fixed."""
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("db_constraint", None)
        return name, path, args, kwargs


class Identified(models.Model):
    """A row with an application-made UUIDv7 and the database's time of creation."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True
        ordering = ["id"]


class TenantModel(Identified):
    """A row that belongs to exactly one organisation; its migration must hold `IsolateTenant`."""

    organisation = models.ForeignKey("organisations.Organisation", on_delete=models.PROTECT, related_name="+")

    class Meta(Identified.Meta):
        abstract = True
