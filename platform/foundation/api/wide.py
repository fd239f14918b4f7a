"""Rows whose models stand below the grants and name no path: they belong to the whole organisation."""

from typing import ClassVar, TypeVar

from django.db.models import Model

from foundation.access.models import PermittedQuerySet

M = TypeVar("M", bound=Model, covariant=True)


class WideQuerySet(PermittedQuerySet[M]):
    """Viewing needs the permission anywhere in the organisation, everything else a grant on the organisation itself."""

    path: ClassVar[str | None] = ""


class NarrowQuerySet(WideQuerySet[M]):
    """The same, and even viewing needs a grant on the organisation, as for the record."""

    narrow: ClassVar[bool] = True
