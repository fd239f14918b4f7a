"""REST endpoints of what runs wait for from outside."""

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.response import Response

from agents.runs.body_shapes import BodyEndpoints, BodyField
from agents.runs.builtins.events import address_of
from agents.runs.models import Callback
from agents.runs.waits import organisation_of, receive_callback, show_secret
from foundation.access.roles import Permission
from foundation.api.doors import Call, Door
from foundation.api.operations import verb
from foundation.api.serializers import Shape
from foundation.api.viewsets import Read


class CallbackShape(Shape):
    """An address that something outside calls once, signed.

    `payload` is what came: nobody vouches for it, and it is for auditors.
    """

    address = serializers.SerializerMethodField()
    payload = BodyField(allow_null=True)

    class Meta:
        model = Callback
        fields = ["id", "run", "step", "name", "address", "payload", "received_at", "expires_at", "created_at"]

    def get_address(self, callback: Callback) -> str:
        """Where the call is to go."""
        return address_of(callback)


class SecretShape(serializers.Serializer[Any]):
    """What signs the call: `Remit-Signature: v1=<hexadecimal HMAC-SHA256 of "<Remit-Timestamp>.<body>">`."""

    secret = serializers.CharField()


class CallbackEndpoints(BodyEndpoints, Read):
    """What runs wait for from outside."""

    rows = Callback.objects.select_related("run")
    shape = CallbackShape
    permission = Permission.RUN_VIEW
    filterset_fields: ClassVar[list[str]] = ["run"]
    mixes_runs = True

    @verb("post", "secret", "Show what signs the call of an address", Permission.RUN_CONTROL, answer=SecretShape)
    def secret(self, _values: Any) -> dict[str, str]:
        """Give it to whoever is to call; that it was shown is recorded."""
        return {"secret": show_secret(actor=self.actor, callback=self.get_object())}


class CallbackDoor(Door):
    """Where the call arrives."""

    kind = "callback"

    def organisation_of(self, identifier: UUID) -> UUID | None:
        """Whose address it is."""
        return organisation_of(identifier)

    def receive(self, identifier: UUID, call: Call) -> Response:
        """Taken: the run goes on."""
        receive_callback(identifier, call.body, call.headers, call.address)
        return Response(status=204)
