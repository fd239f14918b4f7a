"""What an operation says of itself. It stands apart, because the framework loads the guard before its own views."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from rest_framework.serializers import BaseSerializer

from foundation.access.roles import Permission
from foundation.api.paging import KeysetPagination


@dataclass(frozen=True, slots=True)
class Operation:
    """`permission` None means the view's own, `answer` None the view's own shape; `status` 204 answers nothing.

    What makes something (201) takes an `Idempotency-Key`; `shown_once`: its answer holds what is never shown again;
    `own_key`: the method sees to the key itself.
    """

    summary: str
    permission: Permission | None = None
    body: type[BaseSerializer[Any]] | None = None
    answer: type[BaseSerializer[Any]] | None = None
    status: int = 200
    many: bool = False
    paging: type[KeysetPagination] = KeysetPagination
    shown_once: bool = False
    own_key: bool = False

    @property
    def makes(self) -> bool:
        """Whether it makes something."""
        return self.status == HTTPStatus.CREATED


def operation_of(view: Any, name: str | None) -> Operation | None:
    """The operation that an action of a view (class or instance) is."""
    found = getattr(getattr(view, name or "", None), "operation", None)
    return found if isinstance(found, Operation) else None
