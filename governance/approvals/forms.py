"""The two answers to an ask. Each carries the digest of what the person has seen."""

from django import forms


class ApproveForm(forms.Form):
    """Yes; a reason is welcome."""

    digest = forms.CharField(max_length=80, widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text="It stands in the record."
    )


class DenyForm(forms.Form):
    """No, and why: the agent is told."""

    digest = forms.CharField(max_length=80, widget=forms.HiddenInput)
    reason = forms.CharField(
        max_length=500,
        label="Why not",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="The agent is told, and it stands in the record.",
    )
