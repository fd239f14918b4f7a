"""Forms on agents and their versions."""

from django import forms

from agents.registry.models import OnExhausted, Truncation


class AgentForm(forms.Form):
    """A new agent: a draft until it serves a version."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(label="Short name", max_length=60, help_text="Lower case and dashes. Shown in policies.")
    purpose = forms.CharField(max_length=300, required=False, help_text="One sentence: what it is for.")
    team = forms.ChoiceField()
    sponsor = forms.ChoiceField(help_text="The person who answers for it.")


class VersionForm(forms.Form):
    """A version. It never changes once it is published."""

    instructions = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 16, "class": "code"}), max_length=200_000, strip=False
    )
    language_model = forms.ChoiceField(label="Language model")
    tools = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What it may ask for. Policies decide on each call.",
    )
    delegates = forms.MultipleChoiceField(label="May give work to", required=False, widget=forms.CheckboxSelectMultiple)
    max_steps = forms.IntegerField(label="Most steps", min_value=1, max_value=10_000, initial=40)
    max_seconds = forms.IntegerField(
        label="Longest time, in seconds", min_value=1, max_value=31_536_000, initial=86_400
    )
    max_output_tokens = forms.IntegerField(
        label="Most output tokens of one answer", min_value=1, max_value=1_000_000, initial=1_024
    )
    run_budget = forms.DecimalField(
        label="Budget of one run", min_value=0, max_value=1_000_000, decimal_places=6, initial="0.10"
    )
    max_tokens = forms.IntegerField(
        label="Most tokens of one run",
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        help_text="With all that comes of it. 0: no limit.",
    )
    max_children = forms.IntegerField(
        label="Most runs below one run", min_value=0, max_value=1_000, required=False, help_text="16 if left out."
    )
    context_tokens = forms.IntegerField(
        label="Context, in tokens",
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        help_text="0: what the model takes.",
    )
    truncation = forms.ChoiceField(
        label="When a session outgrows its context", choices=Truncation.choices, required=False
    )
    on_exhausted = forms.ChoiceField(
        label="When a budget above the run's own is used up", choices=OnExhausted.choices, required=False
    )
    note = forms.CharField(max_length=300, required=False, help_text="What changed, and why.")
