"""The base of every endpoint: a view names its rows, its shape and its permissions; the checks stand here."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from foundation.access.guards import UnknownError, find, require
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.api.authentication import actor_of
from foundation.api.descriptions import Operation, operation_of
from foundation.api.once import HEADER, key_of, made_once
from foundation.api.operations import operation
from foundation.api.paging import KeysetPagination
from foundation.api.permissions import permission_of
from foundation.api.schema import DocumentedSchema
from foundation.errors import ConflictError
from foundation.organisations.models import Organisation

M = TypeVar("M", bound=Model)

_SLUG = re.compile(r"[-\w]{1,100}", re.ASCII)
NO_PERMISSION = "This endpoint names no permission."


class Endpoints(GenericViewSet[Any]):
    """`rows` is a PermittedQuerySet, `shape` how one goes out, `permission` what reading needs."""

    rows: ClassVar[Any] = None
    shape: ClassVar[type[BaseSerializer[Any]]]
    permission: ClassVar[Permission | None] = None
    filterset_fields: ClassVar[Any] = None
    lookup_field = "id"
    lookup_value_regex = "[^/]+"
    # Without TRACE, which would be carried out by an operation of that name.
    http_method_names = ["get", "post", "put", "patch", "delete", "head", "options"]
    metadata_class = None  # what an endpoint takes stands in the document
    schema = DocumentedSchema()

    @property
    def actor(self) -> Actor:
        """Who calls."""
        return actor_of(self.request)

    @property
    def organisation_id(self) -> UUID:
        """The actor's organisation: whoever passed the guard has one."""
        if self.actor.organisation is None:
            raise UnknownError("organisation")
        return self.actor.organisation

    @property
    def organisation(self) -> Organisation:
        """The actor's organisation."""
        return Organisation.objects.get(pk=self.organisation_id)

    @property
    def paginator(self) -> KeysetPagination:
        """The operation's own way of paging, one for each request."""
        described = operation_of(self, self.action)
        if not hasattr(self, "_paginator"):
            self._paginator = described.paging() if described else KeysetPagination()
        return self._paginator

    @property
    def named(self) -> Permission:
        """The permission that this operation names."""
        permission = permission_of(self, self.action)
        if permission is None:
            raise TypeError(NO_PERMISSION)
        return permission

    def get_queryset(self) -> QuerySet[Any]:
        """The rows on which the actor holds what this operation names."""
        return self.permitted(self.rows)

    def permitted(self, rows: PermittedQuerySet[M]) -> PermittedQuerySet[M]:
        """Of other rows, those on which the actor holds what this operation names."""
        return rows.all().permitted(self.actor, self.named)

    def get_object(self) -> Any:
        """The row that the address names. Raises UnknownError, or RefusedError for what may only be viewed."""
        return self.find(self.rows, self.kwargs["id"])

    def find(self, rows: PermittedQuerySet[M], name: str, permission: Permission | None = None) -> M:
        """A row by id or slug, if the actor holds the permission on it (by default what this operation names)."""
        return find(rows.all(), self.actor, permission or self.named, **by_name(rows.model, name))

    def require(self, target: UUID | None = None) -> None:
        """Refuse unless what this operation names is held on a target (by default the organisation)."""
        require(self.actor, self.named, target)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """What is for one caller is kept by nobody on the way, and says whom it took the caller for."""
        found = super().finalize_response(request, response, *args, **kwargs)
        found.headers.setdefault("Cache-Control", "no-store")
        if self.actor.principal is not None:
            found.headers["Remit-Principal"] = str(self.actor.principal)
        return found

    def read(self, body: type[BaseSerializer[Any]]) -> Any:
        """The validated body. Raises ValidationError."""
        reader = body(data=self.request.data, context=self.get_serializer_context())
        reader.is_valid(raise_exception=True)
        return reader.validated_data

    def carry_out(self, described: Operation, act: Callable[[], Any]) -> Any:
        """What the operation makes or finds; with an Idempotency-Key it makes it once."""
        key = key_of(self.request.headers) if described.makes and not described.own_key else None
        if key is None:
            return act()
        return made_once(self.actor, key, self.request, act, lambda model, thing: self._made(described, model, thing))

    def _made(self, described: Operation, model: type[Model], thing: UUID) -> Any:
        if described.shown_once:
            raise ConflictError(f"This {HEADER} has made {thing} already. What is shown once is not shown again.")
        if "id" in self.kwargs:
            self.get_object()  # what it was made of may be hidden by now
        if self.rows is not None and model is self.rows.model:
            return self.find(self.rows, str(thing))
        return model._default_manager.filter(pk=thing).first()

    def show(self, result: Any, described: Operation) -> Response:
        """The answer to an operation."""
        if described.status == 204:  # noqa: PLR2004 - No Content
            return Response(status=204)
        shape = described.answer or self.shape
        context = self.get_serializer_context()
        if not described.many:
            return Response(shape(result, context=context).data, described.status)
        if self.request.method == "GET":
            self._refuse_unknown_parameters()
        rows = self.paginate_queryset(result) if isinstance(result, QuerySet) else result
        page: Sequence[Any] = rows if rows is not None else result
        shown = shape(page, many=True, context=context).data
        return self.get_paginated_response(shown)

    def _refuse_unknown_parameters(self) -> None:
        """A filter with a slip in its name must not answer with everything."""
        known = {"after", "limit", *(_parameters(self.filterset_fields) if self.action == "list" else ())}
        if unknown := sorted(set(self.request.query_params) - known):
            said = f"There is no such parameter here. Parameters: {', '.join(sorted(known))}."
            raise ValidationError(dict.fromkeys(unknown, said))


class Listed(Endpoints):
    """Adds the list."""

    @operation("List {nouns}", many=True)
    def list(self, _values: Any) -> QuerySet[Any]:
        """One page."""
        return self.filter_queryset(self.get_queryset())


class Read(Listed):
    """Adds the list and the single row."""

    @operation("Show one {noun}")
    def retrieve(self, _values: Any) -> Any:
        """The row."""
        return self.get_object()


def _parameters(fields: Any) -> list[str]:
    """The parameters that django-filter makes of `filterset_fields`."""
    if not isinstance(fields, Mapping):
        return [*(fields or ())]
    names = [(name, lookup) for name, lookups in fields.items() for lookup in lookups]
    return [name if lookup == "exact" else f"{name}__{lookup}" for name, lookup in names]


def by_name(model: type[Model], name: str) -> dict[str, Any]:
    """The lookup of an id or, where the model has one, a slug. Raises UnknownError for what is neither."""
    try:
        return {"id": UUID(name)}
    except ValueError:
        if any(field.name == "slug" for field in model._meta.fields) and _SLUG.fullmatch(name):
            return {"slug": name}
        raise UnknownError(str(model._meta.verbose_name)) from None
