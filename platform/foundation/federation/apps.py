"""Single sign-on: an organisation's identity providers, and what their groups mean here."""

from django.apps import AppConfig

from foundation.secrets.columns import register_column


class FederationConfig(AppConfig):
    """Single sign-on: an organisation's identity providers, and what their groups mean here."""

    name = "foundation.federation"
    label = "federation"

    def ready(self) -> None:
        """The rotation of the sealing key covers this app's column."""
        register_column("federation.IdentityProvider", "sealed_secret", lambda row: f"identity-provider:{row.pk}")
