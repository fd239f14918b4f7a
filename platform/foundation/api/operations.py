"""An operation of the API: what it needs, what it reads, what it answers. The guard and the document use the same."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

from django.http import HttpResponseBase
from rest_framework.decorators import action
from rest_framework.serializers import BaseSerializer

from foundation.access.roles import Permission
from foundation.api.descriptions import Operation
from foundation.api.paging import KeysetPagination

Method = Callable[..., Any]


def operation(
    summary: str,
    permission: Permission | None = None,
    *,
    body: type[BaseSerializer[Any]] | None = None,
    answer: type[BaseSerializer[Any]] | None = None,
    status: int = 200,
    many: bool = False,
    paging: type[KeysetPagination] = KeysetPagination,
    shown_once: bool = False,
    own_key: bool = False,
) -> Callable[[Method], Any]:
    """Turn a method that takes the validated body and returns rows into an endpoint.

    The method gets the values of `body` (empty without one) and the rest of the address by name. It returns the row
    to show, the rows of a list (`many`), nothing for 204, or a response of its own.
    """

    def decorate(method: Method) -> Any:
        @wraps(method)
        def endpoint(self: Any, request: Any, **address: Any) -> Any:  # noqa: ARG001 - the view holds the request
            values = self.read(body) if body else {}
            names = {name: value for name, value in address.items() if name != "id"}
            result = self.carry_out(description, lambda: method(self, values, **names))
            return result if isinstance(result, HttpResponseBase) else self.show(result, description)

        description = Operation(summary, permission, body, answer, status, many, paging, shown_once, own_key)
        endpoint.operation = description  # type: ignore[attr-defined]  # read by `operation_of`
        return endpoint

    return decorate


def verb(
    http: Literal["get", "post"],
    path: str,
    summary: str,
    permission: Permission | None = None,
    *,
    detail: bool = True,
    **more: Any,
) -> Callable[[Method], Any]:
    """An operation at an address of its own below the view's: `POST /runs/<id>/cancel`."""

    def decorate(method: Method) -> Any:
        return action(detail=detail, methods=[http], url_path=path)(operation(summary, permission, **more)(method))

    return decorate
