"""REST endpoints of credentials."""

from typing import Any

from rest_framework import serializers

from agents.tools.models import Credential
from agents.tools.services import add_credential
from foundation.access.roles import Permission
from foundation.api.operations import operation
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read


class CredentialShape(Shape):
    """The name of a sealed secret; the secret is never shown."""

    class Meta:
        model = Credential
        fields = ["id", "name", "created_at"]


class AddCredential(Body):
    """`secret` is sealed and never shown again."""

    name = serializers.CharField(max_length=120)
    secret = serializers.CharField(max_length=10_000, write_only=True, trim_whitespace=False)


class CredentialEndpoints(Read):
    """Secrets that connectors use."""

    rows = Credential.objects.all()
    shape = CredentialShape
    permission = Permission.TOOL_VIEW

    @operation("Add a credential", Permission.TOOL_MANAGE, body=AddCredential, status=201)
    def create(self, values: Any) -> Credential:
        """Sealed at once."""
        self.require()
        return add_credential(actor=self.actor, **values)
