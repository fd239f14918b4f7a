"""Forms on sessions."""

import json
from typing import Any

from django import forms

from agents.runs.files import LARGEST_FILE

LARGEST_FORM = LARGEST_FILE - 1024 * 1024  # bytes


class SessionForm(forms.Form):
    """An empty session."""

    agent = forms.ChoiceField()
    title = forms.CharField(max_length=200, required=False, help_text="What it is about.")
    counterpart = forms.CharField(
        max_length=300, required=False, label="With", help_text="Whom the agent deals with here. Empty is you."
    )


class ContinueForm(forms.Form):
    """The next input. What is pasted counts as untrusted."""

    title = forms.CharField(max_length=200, required=False, help_text="Empty takes the subject, or the first line.")
    input = forms.CharField(
        label="Next input",
        widget=forms.Textarea(attrs={"rows": 5}),
        max_length=1_000_000,
        strip=False,
        help_text="It is treated as untrusted text.",
    )


class MemoryForm(forms.Form):
    """A value under a name."""

    name = forms.CharField(max_length=120, help_text="An earlier value of this name is replaced.")
    value = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3, "class": "code"}),
        max_length=200_000,
        help_text="Text, or JSON. It counts as your word: trusted.",
    )

    def clean_value(self) -> Any:
        """JSON where it is an object, a list, a number or a truth; else the text."""
        text: str = self.cleaned_data["value"]
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text


class FileForm(forms.Form):
    """A file for the session. A form holds a little more than its file, and no request more than 10 MiB."""

    file = forms.FileField(help_text=f"At most {LARGEST_FORM // (1024 * 1024)} MiB here. It counts as untrusted.")
    name = forms.CharField(max_length=200, required=False, help_text="Empty takes the file's own.")


class MoveForm(forms.Form):
    """Another version for the runs that follow."""

    version = forms.ChoiceField(help_text="The runs that follow work with it. What the session holds stays.")
    reason = forms.CharField(max_length=300, required=False, help_text="Kept in the record.")
