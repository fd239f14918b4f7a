"""Filters of lists. One that names a row by its id compares ids, and says nothing of whether there is such a row."""

from typing import Any

from django.db.models import ForeignKey, UUIDField
from django_filters.filters import Filter, UUIDFilter
from django_filters.rest_framework import DjangoFilterBackend, FilterSet


class Filters(FilterSet):  # type: ignore[misc]  # theirs
    """Those that are made of `filterset_fields`."""

    @classmethod
    def filter_for_lookup(cls, field: Any, lookup_type: str) -> tuple[type[Filter] | None, dict[str, Any]]:
        """An id where another row is named: a choice among rows would refuse what is not there, and so tell it."""
        if isinstance(field, ForeignKey) and lookup_type == "exact" and isinstance(field.target_field, UUIDField):
            return UUIDFilter, {}
        found: tuple[type[Filter] | None, dict[str, Any]] = super().filter_for_lookup(field, lookup_type)
        return found


class FilterBackend(DjangoFilterBackend):  # type: ignore[misc]  # theirs
    """The filters above."""

    filterset_base = Filters
