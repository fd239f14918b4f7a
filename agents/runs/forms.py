"""Forms on runs."""

from django import forms


class StartForm(forms.Form):
    """Work for an agent. What is pasted here counts as untrusted: an agent that reads it gains no authority by it."""

    agent = forms.ChoiceField()
    title = forms.CharField(max_length=200, required=False, help_text="Empty takes the subject, or the first line.")
    input = forms.CharField(
        label="Input",
        widget=forms.Textarea(attrs={"rows": 14, "class": "code"}),
        max_length=1_000_000,
        strip=False,
        help_text="A mail, a ticket, a question. It is treated as untrusted text.",
    )


_LOOK = ("", "Choose what you found")  # nothing is chosen beforehand: whoever presses at once has not looked


class ResolveForm(forms.Form):
    """What really happened at a step in doubt."""

    outcome = forms.ChoiceField(
        choices=[
            _LOOK,
            ("done", "It happened: go on"),
            ("failed", "It did not happen: tell the agent"),
            ("retry", "It did not happen: do it now"),
        ]
    )
    evidence = forms.CharField(
        label="How you know",
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept in the record.",
    )


class ResolveEndedForm(ResolveForm):
    """The same in a run that has ended, and so does nothing again."""

    outcome = forms.ChoiceField(choices=[_LOOK, ("done", "It happened"), ("failed", "It did not happen")])
