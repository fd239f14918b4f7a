"""Forms on policies."""

import json
from typing import Any

from django import forms

from governance.policies.models import EnforcementMode

_SOURCE = forms.Textarea(attrs={"rows": 20, "class": "code", "spellcheck": "false", "wrap": "off"})


class PolicyForm(forms.Form):
    """A new policy."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        label="Short name", max_length=80, help_text="Lower case and dashes. Shown with every decision."
    )
    mode = forms.ChoiceField(choices=EnforcementMode.choices, help_text="Log only first shows what it would do.")
    source = forms.CharField(widget=_SOURCE, max_length=200_000, strip=False, help_text="Cedar.")
    note = forms.CharField(max_length=300, required=False)


class SourceForm(forms.Form):
    """The next version of a policy."""

    source = forms.CharField(widget=_SOURCE, max_length=200_000, strip=False, help_text="Cedar.")
    note = forms.CharField(max_length=300, required=False, help_text="What changed, and why.")


class TryForm(forms.Form):
    """Would this act pass?"""

    agent = forms.ChoiceField()
    kind = forms.ChoiceField(
        choices=[("tool_call", "Tool call"), ("model_call", "Model call"), ("delegation", "Delegation")]
    )
    target = forms.CharField(
        label="Tool, model or agent", max_length=160, help_text="A tool's name, a model's or an agent's short name."
    )
    arguments = forms.CharField(
        initial="{}", widget=forms.Textarea(attrs={"rows": 6, "class": "code"}), help_text="A JSON object."
    )

    def clean_arguments(self) -> dict[str, Any]:
        """The object. Raises ValidationError with the place of the slip."""
        try:
            value = json.loads(self.cleaned_data["arguments"])
        except json.JSONDecodeError as error:
            raise forms.ValidationError(f"This is no JSON (line {error.lineno}: {error.msg}).") from None
        except RecursionError:
            raise forms.ValidationError("It is nested too deeply: make it flatter.") from None
        if not isinstance(value, dict):
            raise forms.ValidationError("Write an object: {…}.")
        return value
