"""Identity providers: where people of the organisation sign in by OpenID Connect, and what their groups mean here."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers

from console.api.grants import PrincipalName
from foundation.access.guards import UnknownError
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read, by_name
from foundation.federation.connection import Connection, callback_address
from foundation.federation.models import GroupMapping, IdentityProvider
from foundation.federation.services import add_provider, change_provider, map_group, remove_provider, unmap_group
from foundation.organisations.models import GrantTarget


class MappingShape(Shape):
    """A group there, and the group of ours that its members are in; the grants of that one say what it means."""

    principal = PrincipalName()

    class Meta:
        model = GroupMapping
        fields = ["id", "group", "principal"]


class IdentityProviderShape(Shape):
    """An identity provider; its secret is never shown. `redirect_uri` is what is to be entered there."""

    redirect_uri = serializers.SerializerMethodField()
    mappings = MappingShape(many=True)

    class Meta:
        model = IdentityProvider
        fields = ["id", "slug", "name", "issuer", "client_id", "domains", "groups_claim", "provisions", "required",
                  "is_active", "redirect_uri", "mappings", "created_at"]  # fmt: skip

    def get_redirect_uri(self, provider: IdentityProvider) -> str:
        """Where the provider sends people back to."""
        return callback_address(provider.slug)


class _Values(Body):
    name = serializers.CharField(max_length=120)
    issuer = serializers.CharField(max_length=300)
    client_id = serializers.CharField(max_length=200)
    secret = serializers.CharField(max_length=500, allow_blank=True, default="")
    domains = serializers.ListField(child=serializers.CharField(max_length=253), min_length=1, max_length=50)
    groups_claim = serializers.CharField(max_length=60, default="groups")
    provisions = serializers.BooleanField(default=True)


class AddIdentityProvider(_Values):
    """`domains` are the e-mail domains it vouches for. `provisions`: who is unknown becomes a person at first."""

    slug = serializers.SlugField(max_length=60)


class ChangeIdentityProvider(Body):
    """What is left out stays. `required`: people of the domains sign in there and in no other way."""

    name = serializers.CharField(max_length=120, required=False)
    issuer = serializers.CharField(max_length=300, required=False)
    client_id = serializers.CharField(max_length=200, required=False)
    secret = serializers.CharField(max_length=500, required=False)
    domains = serializers.ListField(child=serializers.CharField(max_length=253), required=False, max_length=50)
    groups_claim = serializers.CharField(max_length=60, required=False)
    provisions = serializers.BooleanField(required=False)
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]  # the framework keeps a flag of this name
    is_active = serializers.BooleanField(required=False)


class MapGroup(Body):
    """Whoever is in `group` there has `role` on `target` here."""

    group = serializers.CharField(max_length=200)
    role = serializers.CharField(max_length=60)
    target = serializers.UUIDField()


class UnmapGroup(Body):
    """By its name there."""

    group = serializers.CharField(max_length=200)


class Checked(serializers.Serializer[Any]):
    """What the provider says of itself."""

    issuer = serializers.CharField()
    authorization_endpoint = serializers.CharField()
    token_endpoint = serializers.CharField()
    jwks_uri = serializers.CharField()


class IdentityProviderEndpoints(Read):
    """Where people sign in by OpenID Connect. Changes want a browser that was confirmed of late; a key is refused."""

    rows: ClassVar[Any] = PermittedQuerySet(IdentityProvider).prefetch_related("mappings__principal")
    shape = IdentityProviderShape
    permission = Permission.ORGANISATION_MANAGE

    @operation("Add an identity provider", Permission.ORGANISATION_MANAGE, body=AddIdentityProvider, status=201)
    def create(self, values: Any) -> IdentityProvider:
        """People of its domains may sign in there from now on."""
        self.require()
        return add_provider(actor=self.actor, **values)

    @operation("Change an identity provider", Permission.ORGANISATION_MANAGE, body=ChangeIdentityProvider)
    def partial_update(self, values: Any) -> IdentityProvider:
        """What is left out stays."""
        return change_provider(actor=self.actor, provider=self.get_object(), **values)

    @operation("Remove an identity provider", Permission.ORGANISATION_MANAGE, status=204)
    def destroy(self, _values: Any) -> None:
        """Whom it brought stays, without the groups that it kept."""
        remove_provider(actor=self.actor, provider=self.get_object())

    @verb("post", "check", "Check the connection to an identity provider", Permission.ORGANISATION_MANAGE,
          answer=Checked)  # fmt: skip
    def check(self, _values: Any) -> Mapping[str, Any]:
        """Asks it for its metadata, and changes nothing. What it answers instead is told."""
        return Connection(self.request, self.get_object()).metadata()

    @verb("post", "map", "Give a role to a group of an identity provider", Permission.ORGANISATION_MANAGE,
          body=MapGroup)  # fmt: skip
    def map(self, values: Any) -> IdentityProvider:
        """From the next sign-in of its members on."""
        provider = self.get_object()
        target = GrantTarget.objects.filter(**by_name(GrantTarget, str(values.pop("target")))).first()
        if target is None:
            raise UnknownError("target of a grant")
        map_group(actor=self.actor, provider=provider, target=target, **values)
        return self._again()

    @verb("post", "unmap", "Take all roles from a group of an identity provider", Permission.ORGANISATION_MANAGE,
          body=UnmapGroup)  # fmt: skip
    def unmap(self, values: Any) -> IdentityProvider:
        """It means nothing here any more."""
        mapping = self.get_object().mappings.select_related("provider", "principal").filter(**values).first()
        if mapping is None:
            raise UnknownError("mapped group")
        unmap_group(actor=self.actor, mapping=mapping)
        return self._again()

    def _again(self) -> IdentityProvider:
        found: IdentityProvider = self.get_object()
        return found
