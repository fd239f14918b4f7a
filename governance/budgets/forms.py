"""The form of a budget."""

from django import forms

from governance.budgets.models import BudgetPeriod


class BudgetForm(forms.Form):
    """A ceiling for the organisation, a team or an agent."""

    target = forms.ChoiceField(label="For")
    limit = forms.DecimalField(
        min_value=0,
        max_value=1_000_000_000,
        decimal_places=6,
        help_text="Below what is spent already, it closes at once.",
    )
    period = forms.ChoiceField(choices=BudgetPeriod.choices)
