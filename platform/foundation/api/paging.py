"""Pages by key: the next page starts after the last row of this one, however many rows come and go meanwhile."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.access.pages import first_rows

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200


class KeysetPagination(BasePagination):
    """`?after=<id of the last row>&limit=<rows>`; the direction is that of the queryset's order."""

    key = "id"
    key_schema: dict[str, Any] = {"type": "string", "format": "uuid"}
    next_page: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:  # noqa: ARG002 - the framework's signature
        """The rows of this page: one query, without a count."""
        limit, after = self._limit(request), request.query_params.get("after")
        descending = _is_descending(queryset)
        if after:
            queryset = queryset.filter(**{f"{self.key}__{'lt' if descending else 'gt'}": self.parse(after)})
        rows = self.rows(queryset, limit + 1, descending=descending)
        if len(rows) > limit:
            self.next_page = self._address(request, getattr(rows[limit - 1], self.key), limit)
        return rows[:limit]

    def rows(self, queryset: QuerySet[Any], count: int, *, descending: bool) -> list[Any]:
        """The first rows by the key."""
        return first_rows(queryset, count, descending=descending)

    def parse(self, after: str) -> Any:
        """The key that `after` names. Raises ValidationError."""
        try:
            return UUID(after)
        except ValueError:
            raise ValidationError({"after": "Give the id of the last row that you have."}) from None

    def get_paginated_response(self, data: Any) -> Response:
        """The rows, and the address of the next page in the body and as RFC 8288 link."""
        headers = {"Link": f'<{self.next_page}>; rel="next"'} if self.next_page else {}
        return Response({"items": data, "next": self.next_page}, headers=headers)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """For the OpenAPI document."""
        address = {
            "type": "string",
            "nullable": True,
            "description": "Address of the next page, relative to this server; null on the last one.",
        }
        return {
            "type": "object",
            "required": ["items", "next"],
            "properties": {"items": schema, "next": address},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:  # noqa: ARG002 - the framework's signature
        """For the OpenAPI document."""
        limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT}
        return [
            _parameter("after", f"`{self.key}` of the last row of the page before.", self.key_schema),
            _parameter("limit", "How many rows.", limit),
        ]

    def _limit(self, request: Request) -> int:
        given = request.query_params.get("limit", str(DEFAULT_LIMIT))
        limit = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0  # noqa: PLR2004 - digits
        if not 1 <= limit <= LARGEST_LIMIT:
            raise ValidationError({"limit": f"Give a number from 1 to {LARGEST_LIMIT}."})
        return limit

    def _address(self, request: Request, last: Any, limit: int) -> str:
        others = [(name, value) for name, value in _pairs(request) if name not in {"after", "limit"}]
        return f"{request.path}?{urlencode([*others, ('after', str(last)), ('limit', str(limit))])}"


class NumberPagination(KeysetPagination):
    """The same for rows that are numbered within another one, such as the steps of a run."""

    key = "number"
    key_schema = {"type": "integer", "minimum": 0}

    def rows(self, queryset: QuerySet[Any], count: int, *, descending: bool) -> list[Any]:
        """The first rows by the number."""
        return list(queryset.order_by("-number" if descending else "number")[:count])

    def parse(self, after: str) -> int:
        """The number that `after` names. Raises ValidationError."""
        if not (after.isascii() and after.isdigit() and len(after) < 10):  # noqa: PLR2004 - digits
            raise ValidationError({"after": "Give the number of the last row that you have."})
        return int(after)


def _pairs(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, values in request.query_params.lists() for value in values]


def _is_descending(queryset: QuerySet[Any]) -> bool:
    order = queryset.query.order_by or queryset.model._meta.ordering
    return bool(order) and str(order[0]).startswith("-")


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
