"""Forms on connectors and credentials."""

import json
from typing import Any

from django import forms


class ConnectorForm(forms.Form):
    """A new source of tools."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(label="Short name", max_length=60, help_text="The first part of its tools' names.")
    kind = forms.ChoiceField()
    settings = forms.CharField(
        label="Settings",
        initial="{}",
        widget=forms.Textarea(attrs={"rows": 8, "class": "code"}),
        help_text="A JSON object. Secrets do not belong here: they are a credential.",
    )
    credential = forms.ChoiceField(required=False)

    def clean_settings(self) -> dict[str, Any]:
        """The object. Raises ValidationError with the place of the slip."""
        try:
            value = json.loads(self.cleaned_data["settings"])
        except json.JSONDecodeError as error:
            raise forms.ValidationError(f"This is no JSON (line {error.lineno}: {error.msg}).") from None
        except RecursionError:
            raise forms.ValidationError("It is nested too deeply: make it flatter.") from None
        if not isinstance(value, dict):
            raise forms.ValidationError("Write an object: {…}.")
        return value


class CredentialForm(forms.Form):
    """A secret. It is sealed, and never shown again."""

    name = forms.CharField(max_length=120)
    secret = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "off"}), strip=False, max_length=16_384)
