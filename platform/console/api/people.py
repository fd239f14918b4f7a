"""People and services: the principals that can hold grants and keys."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, MandatoryReason, Shape
from foundation.api.viewsets import Read
from foundation.api.wide import WideQuerySet
from foundation.identity.models import Membership, Principal, PrincipalKind
from foundation.identity.services import add_person, create_service, restore_principal, suspend_principal


class PersonShape(Shape):
    """A person of this organisation; the id is that of the principal."""

    email = serializers.SerializerMethodField()

    class Meta:
        model = Principal
        fields = ["id", "name", "email", "state", "created_at"]

    def get_email(self, principal: Principal) -> str:
        """The address that the person signs in with."""
        return next((membership.user.email for membership in principal.memberships.all()), "")


class ServiceShape(Shape):
    """A program that calls us."""

    class Meta:
        model = Principal
        fields = ["id", "name", "state", "created_at"]


class AddPerson(Body):
    """Who joins the organisation. The person signs in with a link or a password of their own."""

    email = serializers.EmailField()
    name = serializers.CharField(max_length=120)


class CreateService(Body):
    """A name that people recognise."""

    name = serializers.CharField(max_length=120)


class PrincipalEndpoints(Read):
    """What people and services have in common."""

    kind: ClassVar[PrincipalKind]
    permission = Permission.PERSON_VIEW
    filterset_fields = ["state"]

    def get_queryset(self) -> QuerySet[Any]:
        """Those of this kind, with what the shape shows."""
        return super().get_queryset().prefetch_related("memberships__user")

    @verb("post", "suspend", "Suspend a {noun}: keys and sessions stop at once", Permission.PERSON_MANAGE,
          body=MandatoryReason)  # fmt: skip
    def suspend(self, values: Any) -> Principal:
        """Nobody of that name acts until restored."""
        return self._after(suspend_principal(actor=self.actor, principal=self.get_object(), reason=values["reason"]))

    @verb("post", "restore", "Restore a suspended {noun}", Permission.PERSON_MANAGE)
    def restore(self, _values: Any) -> Principal:
        """May act again."""
        return self._after(restore_principal(actor=self.actor, principal=self.get_object()))

    def _after(self, _changed: Any) -> Principal:
        """As it stands now."""
        found: Principal = self.get_object()
        return found


class PersonEndpoints(PrincipalEndpoints):
    """People of the organisation."""

    kind = PrincipalKind.PERSON
    rows: ClassVar[WideQuerySet[Principal]] = WideQuerySet(Principal).filter(kind=PrincipalKind.PERSON)
    shape = PersonShape

    @operation("Add a person", Permission.PERSON_MANAGE, body=AddPerson, status=201)
    def create(self, values: Any) -> Principal:
        """The principal that the person acts as here."""
        self.require()
        membership: Membership = add_person(actor=self.actor, organisation=self.organisation, **values)
        added: Principal = membership.principal
        return added


class ServiceEndpoints(PrincipalEndpoints):
    """Services of the organisation."""

    kind = PrincipalKind.SERVICE
    rows: ClassVar[WideQuerySet[Principal]] = WideQuerySet(Principal).filter(kind=PrincipalKind.SERVICE)
    shape = ServiceShape

    @operation("Create a service", Permission.PERSON_MANAGE, body=CreateService, status=201)
    def create(self, values: Any) -> Principal:
        """It may do nothing until it holds a grant, and cannot call until it has a key."""
        self.require()
        return create_service(actor=self.actor, organisation=self.organisation, name=values["name"])
