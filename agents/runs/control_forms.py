"""Forms that steer runs."""

from django import forms

AS_IT_WAS = "record"


class RetryForm(forms.Form):
    """Try once more from a step on."""

    step = forms.IntegerField(
        label="From step", min_value=1, help_text="What stands before it is kept, and neither done nor paid again."
    )
    reason = forms.CharField(max_length=300, required=False, help_text="Kept in the record.")


class ForkForm(forms.Form):
    """Another run that shares the journal up to a step."""

    step = forms.IntegerField(
        label="Up to and with step",
        min_value=0,
        help_text="What is shared is neither done nor paid again. 0 is the beginning.",
    )
    version = forms.ChoiceField(help_text="Which definition goes on from there.")
    input = forms.CharField(
        label="Another input",
        required=False,
        strip=False,
        max_length=1_000_000,
        widget=forms.Textarea(attrs={"rows": 8, "class": "code"}),
        help_text="Only from step 0. Empty keeps what came in.",
    )


class ReplayForm(forms.Form):
    """The same once more, with recorded outputs."""

    version = forms.ChoiceField(
        label="Who answers",
        initial=AS_IT_WAS,
        widget=forms.RadioSelect,
        help_text="Tools, people and children answer as recorded in either case: nothing leaves.",
    )


class CompareForm(forms.Form):
    """The other one."""

    other = forms.UUIDField(label="With the run", help_text="Its id, as its page copies it.")
