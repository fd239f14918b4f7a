"""The browsers in which one is signed in, over all organisations."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers

from foundation.access.guards import UnknownError
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Shape
from foundation.api.viewsets import Endpoints
from foundation.errors import InvalidError
from foundation.identity.lookups import see_as_user
from foundation.identity.models import WebSession
from foundation.identity.sessions import end_other_sessions, end_session, own_user, sessions_of


class BrowserShape(Shape):
    """`browser` is what it calls itself; `current` is the one that asks."""

    current = serializers.SerializerMethodField()

    class Meta:
        model = WebSession
        fields = ["id", "browser", "address", "method", "current", "created_at", "last_seen_at"]

    def get_current(self, row: WebSession) -> bool:
        """By its session's key."""
        return bool(row.key == self.context["request"].session.session_key)


class Ended(serializers.Serializer[Any]):
    """How many were signed out."""

    ended = serializers.IntegerField()


class BrowserEndpoints(Endpoints):
    """One's own, and nobody else's."""

    shape = BrowserShape
    permission = Permission.ORGANISATION_VIEW

    @operation("List the browsers in which you are signed in", many=True)
    def list(self, _values: Any) -> QuerySet[WebSession]:
        """Those that go on, newest first; none where an identity provider has let you in. An API key is refused."""
        return self.get_queryset()

    @operation("Sign one of your browsers out", Permission.KEY_MANAGE, status=204)
    def destroy(self, _values: Any) -> None:
        """At once. An API key is refused."""
        try:
            found = self.get_queryset().filter(pk=UUID(self.kwargs["id"])).first()
        except ValueError:
            found = None
        if found is None:
            raise UnknownError("browser")
        end_session(actor=self.actor, session=found)

    @verb("post", "end-others", "Sign all your other browsers out", Permission.KEY_MANAGE, detail=False, answer=Ended)
    def end_others(self, _values: Any) -> dict[str, int]:
        """All but the one that asks. An API key is refused."""
        user = own_user(self.actor)
        if user is None:
            raise InvalidError(
                "An identity provider has let you in: it keeps how you sign in, and you end no browsers."
            )
        key = self.request.session.session_key or ""
        return {"ended": end_other_sessions(actor=self.actor, user=user, key=key)}

    def get_queryset(self) -> QuerySet[WebSession]:
        """One's own."""
        user = own_user(self.actor)
        if user is None:
            return WebSession.objects.none()
        see_as_user(user)
        return sessions_of(user).order_by("-id")
