"""Whoever acts: people, agents and services; how they prove it."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in

from foundation.secrets.columns import register_column


class IdentityConfig(AppConfig):
    """Whoever acts: people, agents and services; how they prove it."""

    name = "foundation.identity"
    label = "identity"

    def ready(self) -> None:
        """The rotation of the sealing key covers the secrets of second factors."""
        for key in ("secret", "seed"):
            register_column("mfa.Authenticator", "data", lambda _row: "second-factor", key)
        # Django would write the user's row at each sign-in; sessions say when somebody was last seen.
        user_logged_in.disconnect(dispatch_uid="update_last_login")
