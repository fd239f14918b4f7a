"""Single sign-on: an organisation's identity providers, and what their groups mean here."""
