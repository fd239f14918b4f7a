"""Forms of the console's own pages."""

from django import forms

from foundation.access.roles import ROLES, Permission


class SignInForm(forms.Form):
    """Address and password."""

    email = forms.EmailField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}), strip=False)


class PasswordForm(forms.Form):
    """A new password, typed twice."""

    password = forms.CharField(
        label="New password",
        help_text="At least 12 characters. It ends your other sessions.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
    )
    again = forms.CharField(
        label="Once more", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False
    )

    def clean_again(self) -> str:
        """Both must be the same."""
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password"):
            raise forms.ValidationError("The two are not the same: type both again.")
        return again


class TeamForm(forms.Form):
    """A new team."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        label="Short name", max_length=60, help_text="Lower case and dashes. It stands in addresses."
    )
    parent = forms.ChoiceField(required=False, help_text="Grants on the team above count for this one too.")


class ChangeTeamForm(forms.Form):
    """A team's name, and its place."""

    name = forms.CharField(max_length=120)
    parent = forms.ChoiceField(
        required=False, label="Under", help_text="What is granted above its place counts for it."
    )


class ServiceForm(forms.Form):
    """A new service."""

    name = forms.CharField(max_length=120, help_text="A name that people recognise. It stands in the record.")


class OffboardForm(forms.Form):
    """Who takes over, and why."""

    successor = forms.ChoiceField(
        required=False,
        help_text="Answers for the agents from now on. Without one they are ownerless and start nothing.",
    )
    roles = forms.BooleanField(required=False, label="The successor gets the roles, too")
    reason = forms.CharField(max_length=300, label="Why", help_text="It stays in the record.")


class GrantForm(forms.Form):
    """A role for somebody, on something."""

    principal = forms.ChoiceField(label="Who")
    role = forms.ChoiceField(choices=[(role, role.replace("-", " ").capitalize()) for role in ROLES])
    target = forms.ChoiceField(label="On", help_text="It counts for everything below, too.")
    expires_at = forms.DateTimeField(
        label="Until",
        required=False,
        help_text="UTC. Empty means until it is withdrawn.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    reason = forms.CharField(max_length=300, required=False)


class ReasonForm(forms.Form):
    """Why something is done."""

    reason = forms.CharField(max_length=300)


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(max_length=120, help_text="What it is for. Shown in the record.")
    principal = forms.ChoiceField(label="For")
    scopes = forms.MultipleChoiceField(
        label="May only", required=False, choices=[(one.value, one.value) for one in Permission],
        widget=forms.SelectMultiple(attrs={"size": 6}),
        help_text="Narrows the key to the chosen permissions. Without a choice it may do all that its holder may.",
    )  # fmt: skip
    expires_at = forms.DateTimeField(
        label="Until",
        required=False,
        help_text="UTC. Empty means until it is revoked.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
