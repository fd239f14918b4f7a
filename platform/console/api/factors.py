"""One's own second factors, over all organisations. They are shown to a browser, and made in one, only."""

from collections.abc import Sequence
from typing import Any

from allauth.mfa.models import Authenticator
from rest_framework import serializers

from foundation.access.guards import UnknownError
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.viewsets import Endpoints
from foundation.identity.factors import remove_factor
from foundation.identity.lookups import user_by_id
from foundation.identity.second_factor import factors_of
from foundation.identity.sessions import own_user
from foundation.identity.step_up import require_browser


class FactorShape(serializers.Serializer[Any]):
    """An app with codes (`totp`), a passkey (`webauthn`) or the recovery codes; only a passkey has a name."""

    number = serializers.IntegerField(source="pk")
    kind = serializers.ChoiceField(source="type", choices=["totp", "webauthn", "recovery_codes"])
    name = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)

    def get_name(self, factor: Authenticator) -> str:
        """As its owner has called it."""
        return str(factor) if factor.type == Authenticator.Type.WEBAUTHN else ""


class FactorEndpoints(Endpoints):
    """No secret is ever shown."""

    shape = FactorShape
    permission = Permission.ORGANISATION_VIEW
    filter_backends = ()

    @operation("List your second factors", many=True)
    def list(self, _values: Any) -> Sequence[Authenticator]:
        """Oldest first; none where an identity provider has let you in. An API key is refused."""
        user = own_user(self.actor)
        return factors_of(user) if user else []

    @verb("post", r"(?P<number>[0-9]{1,9})/remove", "Remove one of your second factors", Permission.KEY_MANAGE,
          detail=False, status=204)  # fmt: skip
    def remove(self, _values: Any, number: str) -> None:
        """With a browser's session that was confirmed of late; a key is refused."""
        require_browser(self.actor, "changes second factors")
        user = user_by_id(self.actor.user) if self.actor.user else None
        if user is None:
            raise UnknownError("second factor")
        remove_factor(actor=self.actor, user=user, number=int(number))
