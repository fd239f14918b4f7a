"""API keys: what a person or a service presents to us."""

from typing import Any, Self

from django.db.models import Q
from rest_framework import serializers

from console.api.grants import PrincipalName
from foundation.access.guards import find_principal
from foundation.access.models import PermittedQuerySet, permissions_on
from foundation.access.roles import Permission
from foundation.access.strength import refuse_stronger
from foundation.actors import Actor
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read
from foundation.identity.keys import DAY, LONGEST_OVERLAP, rotate_api_key
from foundation.identity.models import ApiKey, Principal, PrincipalKind
from foundation.identity.services import create_api_key, revoke_api_key


class KeyQuerySet(PermittedQuerySet[ApiKey]):
    """Everybody's own keys; whoever manages the keys of the organisation sees all."""

    def permitted(self, actor: Actor, permission: str) -> Self:
        """The rows on which this actor holds this permission."""
        rows = self.filter(organisation_id=actor.organisation)
        if actor.organisation is None or (actor.scopes is not None and permission not in actor.scopes):
            return rows.none()
        if permission in permissions_on(actor, actor.organisation, self.db):
            return rows
        return rows.filter(Q(principal_id=actor.principal, principal_id__isnull=False))


class ApiKeyShape(Shape):
    """`prefix` is the beginning of the key; the key itself is never shown again. It ends with the key in `made_by`."""

    principal = PrincipalName()

    class Meta:
        model = ApiKey
        fields = ["id", "name", "prefix", "principal", "scopes", "expires_at", "revoked_at", "last_used_at",
                  "successor", "made_by", "created_at"]  # fmt: skip


class NewApiKeyShape(Shape):
    """A key that was just made: `key` is shown this once."""

    principal = PrincipalName()
    key = serializers.CharField(help_text="Shown this once: keep it, it cannot be shown again.")

    class Meta:
        model = ApiKey
        fields = ["id", "name", "prefix", "principal", "scopes", "expires_at", "made_by", "created_at", "key"]


class CreateApiKey(Body):
    """`principal` is a service, or (by default) yourself; `scopes` narrows the key to these permissions."""

    name = serializers.CharField(max_length=120)
    principal = serializers.UUIDField(required=False, allow_null=True, default=None)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=[(one.value, one.value) for one in Permission]), default=list
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class RotateApiKey(Body):
    """Both keys open for `overlap` seconds more; the successor lives as long as the former was made to live."""

    overlap = serializers.IntegerField(min_value=0, max_value=LONGEST_OVERLAP, default=DAY)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class ApiKeyEndpoints(Read):
    """Keys for oneself, and for services."""

    rows = KeyQuerySet(ApiKey).select_related("principal")
    shape = ApiKeyShape
    permission = Permission.KEY_MANAGE
    filterset_fields = ["principal"]

    @operation("Create an API key", Permission.KEY_MANAGE, body=CreateApiKey, answer=NewApiKeyShape, status=201,
               shown_once=True)  # fmt: skip
    def create(self, values: Any) -> ApiKey:
        """A key acts as its principal, so nobody makes one for another person. What a key makes ends with it."""
        principal = self._principal(values.pop("principal"))
        scopes = tuple(values.pop("scopes"))
        api_key, secret = create_api_key(actor=self.actor, principal=principal, scopes=scopes, **values)
        setattr(api_key, "key", secret)  # noqa: B010 - for the shape of this one answer
        return api_key

    @operation("Revoke an API key", Permission.KEY_MANAGE, status=204)
    def destroy(self, _values: Any) -> None:
        """It opens nothing from now on, nor does what it has made."""
        revoke_api_key(actor=self.actor, api_key=self.get_object())

    @verb("post", "rotate", "Rotate an API key", Permission.KEY_MANAGE, body=RotateApiKey, answer=NewApiKeyShape,
          status=201, shown_once=True)  # fmt: skip
    def rotate(self, values: Any) -> ApiKey:
        """The successor, with the same name, principal and scopes; the former key ends after the overlap."""
        former = self.get_object()
        refuse_stronger_service(self.actor, former.principal)
        made, secret = rotate_api_key(actor=self.actor, api_key=former, **values)
        setattr(made, "key", secret)  # noqa: B010 - for the shape of this one answer
        return made

    def _principal(self, given: Any) -> Principal:
        if given is not None and given != self.actor.principal:
            self.require()
        principal = find_principal(given or self.actor.principal)
        refuse_stronger_service(self.actor, principal)
        return principal


def refuse_stronger_service(actor: Actor, principal: Principal) -> None:
    """Whoever holds a service's key may do what it may: so nobody makes one for a service that may do more."""
    if principal.kind == PrincipalKind.SERVICE:
        refuse_stronger(actor, principal)
