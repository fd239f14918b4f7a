"""Invitations: a link by e-mail that brings a person into an organisation."""

from django.apps import AppConfig


class InvitationsConfig(AppConfig):
    """Invitations: a link by e-mail that brings a person into an organisation."""

    name = "foundation.invitations"
    label = "invitations"
