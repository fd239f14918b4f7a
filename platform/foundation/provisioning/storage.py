"""The storage behind the SCIM protocol: principals, in one organisation, as one actor."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import DataError, IntegrityError, transaction
from django.db.models import QuerySet
from scim2_models import (
    ForbiddenException,
    InvalidValueException,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    SearchRequest,
    UniquenessException,
)
from scim2_models.exceptions import ConflictException
from scim2_server.storage import ScimStorage, SearchPage

from foundation.access.guards import RefusedError
from foundation.actors import Actor
from foundation.errors import ConflictError, InvalidError, LackingError
from foundation.identity.models import Principal
from foundation.provisioning.filters import narrowed
from foundation.provisioning.rows import as_groups, as_users, groups, people
from foundation.provisioning.schemas import Group, User
from foundation.provisioning.services import (
    TakenError,
    change_provisioned_group,
    change_provisioned_person,
    provision_group,
    provision_person,
    remove_provisioned_group,
    remove_provisioned_person,
)

Found = Resource[Any]
_TAKEN = "Something with this name is there already."


class Storage(ScimStorage):
    """Users and groups of one organisation. Every operation is a savepoint of the request's transaction."""

    def __init__(self, actor: Actor, organisation: UUID) -> None:
        self._actor = actor
        self._organisation = organisation

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,  # noqa: ARG002 - all of it is cheap
    ) -> Found:
        """One resource. Raises NotFoundException."""
        return self._shown(resource_type, [self._row(resource_type, resource_id)])[0]

    def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None  # noqa: ARG002 - pages have numbers here
    ) -> SearchPage:  # fmt: skip
        """A page of the resources that match."""
        start = search_request.start_index_0 or 0
        stop = start + (search_request.count or 0)
        wanted = search_request.filter
        if wanted is None and search_request.sort_by is None and len(resource_types) == 1:
            rows = self._rows(resource_types[0])
            page = rows[start:stop] if stop > start else rows.none()
            return SearchPage(rows.count(), [*self._shown(resource_types[0], page)])
        found: list[Found] = []
        for one in resource_types:
            rows = self._rows(one)
            if wanted is not None:
                rows = rows.filter(narrowed(wanted.ast)).distinct()
            found += [item for item in self._shown(one, rows) if wanted is None or wanted.match(item)]
        if search_request.sort_by is not None:
            down = search_request.sort_order == SearchRequest.SortOrder.descending
            found.sort(key=lambda item: _sortable(search_request.sort_value(item)), reverse=down)
        return SearchPage(len(found), found[start:stop])

    def create(self, resource_type: ResourceType, resource: Found) -> Found:
        """A new person or group."""
        match resource:
            case User():
                made = provision_person(actor=self._actor, organisation=self._organisation, user=resource)
            case Group():
                made = provision_group(actor=self._actor, organisation=self._organisation, group=resource)
            case _:
                raise NotFoundException
        return self._shown(resource_type, [made])[0]

    def update(self, resource_type: ResourceType, resource: Found, *, expected_version: str | None = None) -> Found:
        """The whole new state of a person or group."""
        row = self._unchanged(resource_type, resource.id or "", expected_version)
        match resource:
            case User():
                row = change_provisioned_person(actor=self._actor, principal=row, user=resource)
            case Group():
                row = change_provisioned_group(actor=self._actor, principal=row, group=resource)
        return self._shown(resource_type, [row])[0]

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """A person leaves, a group ends."""
        row = self._unchanged(resource_type, resource_id, expected_version)
        if resource_type.name == "User":
            remove_provisioned_person(actor=self._actor, principal=row)
        else:
            remove_provisioned_group(actor=self._actor, principal=row)

    @contextmanager
    def operation(self) -> Iterator[None]:
        """A savepoint; what our verbs refuse becomes an error of the protocol."""
        try:
            with transaction.atomic():
                yield
        except (TakenError, IntegrityError) as error:
            said = error.message if isinstance(error, TakenError) else _TAKEN
            raise UniquenessException(detail=said) from error
        except (LackingError, RefusedError) as error:
            raise ForbiddenException(detail=str(error)) from error
        except ConflictError as error:
            raise ConflictException(detail=error.message) from error
        except (InvalidError, DataError) as error:
            said = error.message if isinstance(error, InvalidError) else "The database refused these values."
            raise InvalidValueException(detail=said) from error

    def _rows(self, resource_type: ResourceType) -> QuerySet[Principal]:
        return people(self._organisation) if resource_type.name == "User" else groups(self._organisation)

    def _shown(self, resource_type: ResourceType, rows: Any) -> list[User] | list[Group]:
        return as_users(rows) if resource_type.name == "User" else as_groups(rows)

    def _row(self, resource_type: ResourceType, resource_id: str, *, locked: bool = False) -> Principal:
        rows = self._rows(resource_type)
        try:
            found = (rows.select_for_update() if locked else rows).filter(pk=UUID(resource_id)).first()
        except ValueError:
            found = None
        if found is None:
            raise NotFoundException(detail=f"There is no {resource_type.name} {resource_id} here.")
        return found

    def _unchanged(self, resource_type: ResourceType, resource_id: str, version: str | None) -> Principal:
        row = self._row(resource_type, resource_id, locked=True)
        if version is not None:
            meta = self._shown(resource_type, [row])[0].meta
            if meta is None or meta.version != version:
                raise PreconditionFailedException
        return row


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is None, "" if value is None else value
