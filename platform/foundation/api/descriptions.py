"""What an operation says of itself. It stands apart, because the framework loads the guard before its own views."""

from dataclasses import dataclass
from typing import Any

from rest_framework.serializers import BaseSerializer

from foundation.access.roles import Permission
from foundation.api.paging import KeysetPagination


@dataclass(frozen=True, slots=True)
class Operation:
    """`permission` None means the view's own, `answer` None the view's own shape; `status` 204 answers nothing."""

    summary: str
    permission: Permission | None = None
    body: type[BaseSerializer[Any]] | None = None
    answer: type[BaseSerializer[Any]] | None = None
    status: int = 200
    many: bool = False
    paging: type[KeysetPagination] = KeysetPagination


def operation_of(view: Any, name: str | None) -> Operation | None:
    """The operation that an action of a view (class or instance) is."""
    found = getattr(getattr(view, name or "", None), "operation", None)
    return found if isinstance(found, Operation) else None
