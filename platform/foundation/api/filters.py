"""What a list is narrowed by: an id is an id, whether or not there is such a thing, and whoever may see it."""

from typing import Any, ClassVar

from django.db import models
from django_filters import UUIDFilter
from django_filters.rest_framework import DjangoFilterBackend, FilterSet


class Narrowing(FilterSet):  # type: ignore[misc]  # the package has no types
    """Filters made of `filterset_fields`.

    An id of another row is compared, not looked for: else an unknown one would be told apart from a hidden one.
    """

    class Meta:
        filter_overrides: ClassVar[dict[Any, Any]] = {models.ForeignKey: {"filter_class": UUIDFilter}}


class Filters(DjangoFilterBackend):  # type: ignore[misc]  # the package has no types
    """Narrows the rows of a list by the parameters of the address."""

    filterset_base = Narrowing
