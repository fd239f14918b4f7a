"""Invitations: a link by e-mail that brings a person into an organisation."""
