"""People and services: the principals that can hold grants and keys."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from agents.schedules.offboarding import Belongings, belongings_of, offboard_person
from foundation.access.people import stop_person
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, MandatoryReason, Shape
from foundation.api.viewsets import Read
from foundation.api.wide import WideQuerySet
from foundation.errors import InvalidError
from foundation.identity.models import Principal, PrincipalKind
from foundation.identity.services import create_service, restore_principal
from foundation.identity.sessions import end_sessions_of


class PersonShape(Shape):
    """A person of this organisation; the id is that of the principal. `directory`: kept by a directory over SCIM."""

    email = serializers.SerializerMethodField()

    class Meta:
        model = Principal
        fields = ["id", "name", "email", "state", "directory", "created_at"]

    def get_email(self, principal: Principal) -> str:
        """The address that the person signs in with."""
        return next((membership.user.email for membership in principal.memberships.all()), "")


class ServiceShape(Shape):
    """A program that calls us."""

    class Meta:
        model = Principal
        fields = ["id", "name", "state", "created_at"]


class CreateService(Body):
    """A name that people recognise."""

    name = serializers.CharField(max_length=120)


class Offboard(Body):
    """`successor` is a person who takes over agents, schedules and triggers; `roles` hands over the roles, too."""

    successor = serializers.UUIDField(allow_null=True, default=None)
    reason = serializers.CharField(max_length=300)
    roles = serializers.BooleanField(default=False)


class Named(serializers.Serializer[Any]):
    """A thing by its id and its name."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class HeldRole(serializers.Serializer[Any]):
    """A role on something."""

    id = serializers.UUIDField()
    role = serializers.CharField()
    target = serializers.UUIDField(source="target_id")
    target_name = serializers.CharField(source="target.name")


class LentTo(serializers.Serializer[Any]):
    """A delegation, and the agent that has it."""

    id = serializers.UUIDField()
    agent = serializers.CharField(source="receiver.name")


class BelongingsShape(serializers.Serializer[Any]):
    """What hangs on a person: agents that it answers for, what starts runs in its name, its keys and its roles.

    `delegations`: what it lets agents do in its name; they end when it leaves.
    """

    agents = Named(many=True)
    schedules = Named(many=True)
    triggers = Named(many=True)
    keys = Named(many=True)
    grants = HeldRole(many=True)
    delegations = LentTo(many=True)


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
        return self._after(stop_person(actor=self.actor, principal=self.get_object(), reason=values["reason"]))

    @verb("post", "restore", "Restore a suspended {noun}", Permission.PERSON_MANAGE)
    def restore(self, _values: Any) -> Principal:
        """May act again."""
        return self._after(restore_principal(actor=self.actor, principal=self.get_object()))

    def _after(self, _changed: Any) -> Principal:
        """As it stands now."""
        found: Principal = self.get_object()
        return found


class PersonEndpoints(PrincipalEndpoints):
    """People of the organisation. They join by an invitation, single sign-on or a directory."""

    kind = PrincipalKind.PERSON
    rows: ClassVar[WideQuerySet[Principal]] = WideQuerySet(Principal).filter(kind=PrincipalKind.PERSON)
    shape = PersonShape

    @verb("post", "end-sessions", "Sign a person out of this organisation in every browser", Permission.PERSON_MANAGE,
          status=204)  # fmt: skip
    def end_sessions(self, _values: Any) -> None:
        """Its keys go on, and so do its other organisations."""
        end_sessions_of(actor=self.actor, person=self.get_object())

    @verb("get", "belongings", "Show what hangs on a person", Permission.PERSON_MANAGE, answer=BelongingsShape)
    def belongings(self, _values: Any) -> Belongings:
        """For a look before it is handed over."""
        return belongings_of(self.get_object())

    @verb("post", "offboard", "Offboard a person: hand everything over, and end keys, sessions and roles",
          Permission.PERSON_MANAGE, body=Offboard)  # fmt: skip
    def offboard(self, values: Any) -> Principal:
        """The person leaves for good. Without a successor agents are ownerless, and schedules stop."""
        person, wanted = self.get_object(), values.pop("successor")
        successor = self.rows.filter(organisation_id=self.organisation_id, pk=wanted).first() if wanted else None
        if wanted and successor is None:
            raise InvalidError("There is no such person here to take it over.", "successor")
        return offboard_person(actor=self.actor, person=person, successor=successor, **values)


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
