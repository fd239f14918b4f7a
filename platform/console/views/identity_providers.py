"""Settings: single sign-on. Identity providers of the organisation, and what their groups mean here."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms

from foundation.access.models import Grant, PermittedQuerySet, Role
from foundation.access.roles import ROLES, Permission
from foundation.errors import InvalidError
from foundation.federation.connection import Connection, callback_address
from foundation.federation.models import GroupMapping, IdentityProvider
from foundation.federation.services import add_provider, change_provider, map_group, remove_provider, unmap_group
from foundation.identity.step_up import require_fresh
from foundation.web.forms import FormPage
from foundation.web.pages import Act
from foundation.web.targets import covered_targets

HERE = "/settings/single-sign-on/"


class ProviderForm(forms.Form):
    """A new identity provider."""

    name = forms.CharField(max_length=120, help_text="People see it on the sign-in page.")
    slug = forms.SlugField(
        label="Short name", max_length=60, help_text="Lower case and dashes. It stands in the redirect address."
    )
    issuer = forms.CharField(
        max_length=300, help_text="The provider's address, such as https://login.example.org. It must be exact."
    )
    client_id = forms.CharField(label="Client ID", max_length=200, help_text="From the provider.")
    secret = forms.CharField(
        label="Client secret", max_length=500, required=False, strip=True, help_text="From the provider. Kept sealed.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    domains = forms.CharField(
        label="E-mail domains", max_length=1000, help_text="Separated by commas. Nobody else comes in through it."
    )
    groups_claim = forms.CharField(
        label="Claim with the groups",
        max_length=60,
        initial="groups",
        help_text="The claim that lists a person's groups.",
    )
    provisions = forms.BooleanField(
        label="Make people at their first sign-in", required=False, initial=True,
        help_text="Off: only who was added or invited before comes in.",
    )  # fmt: skip

    def clean_domains(self) -> list[str]:
        """As a list."""
        return [part.strip() for part in self.cleaned_data["domains"].split(",") if part.strip()]


class ChangeForm(ProviderForm):
    """A known identity provider; an empty secret keeps the present one."""

    slug = None  # type: ignore[assignment]  # the way to leave a field of the base out
    required = forms.BooleanField(
        label="Require it", required=False,
        help_text="People of these domains sign in there and in no other way. One-time links of the shell still work.",
    )  # fmt: skip
    is_active = forms.BooleanField(label="In use", required=False, help_text="Off: whom it let in is signed out.")


class MappingForm(forms.Form):
    """What a group there means here."""

    group = forms.CharField(max_length=200, help_text="Just as the provider's claim names it.")
    role = forms.ChoiceField()
    target = forms.ChoiceField(label="On", help_text="It counts for everything below, too.")


class Providers(FormPage):
    """All, and a form for one more."""

    permission = Permission.ORGANISATION_MANAGE
    place = "settings"
    template = "console/identity_providers.html"
    form = ProviderForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Adding is for the whole organisation."""
        self.require()

    def context(self) -> Mapping[str, Any]:
        """The providers."""
        rows: PermittedQuerySet[IdentityProvider] = PermittedQuerySet(IdentityProvider)
        return {"providers": self.permitted(rows).order_by("name"), "tab": "single-sign-on"}

    def done(self, values: Mapping[str, Any]) -> str:
        """To its page, which names the address to enter there."""
        provisions = bool(values["provisions"])
        provider = add_provider(actor=self.actor, **{**values, "provisions": provisions})
        self.say(f"{provider.name} is added. Enter the redirect address there, then check the connection.")
        return f"{HERE}{provider.id}/"


class _OfProvider(FormPage):
    permission = Permission.ORGANISATION_MANAGE
    place = "settings"

    def load(self, **address: Any) -> None:
        """The provider."""
        rows: PermittedQuerySet[IdentityProvider] = PermittedQuerySet(IdentityProvider)
        self.provider = self.found(rows, pk=address["provider_id"])


class ProviderPage(_OfProvider):
    """One provider: what is to be entered there, and what its groups mean here."""

    template = "console/identity_provider.html"
    form = MappingForm

    def context(self) -> Mapping[str, Any]:
        """Mappings with the grants of their groups."""
        mappings = list(self.provider.mappings.select_related("principal").order_by("group"))
        grants: dict[UUID, list[Grant]] = {}
        held = Grant.objects.filter(principal__in=[one.principal_id for one in mappings]).select_related("target")
        for one in held:
            grants.setdefault(one.principal_id, []).append(one)
        return {
            "provider": self.provider, "redirect_uri": callback_address(self.provider.slug), "tab": "single-sign-on",
            "mappings": [(one, grants.get(one.principal_id, [])) for one in mappings],
            "sign_in": callback_address(self.provider.slug).removesuffix("callback/"),
        }  # fmt: skip

    def make(self, data: Any = None) -> forms.Form:
        """With roles and targets."""
        form = super().make(data)
        custom = Role.objects.filter(organisation_id=self.tenant).order_by("name")
        roles = [(role, role.replace("-", " ").capitalize()) for role in ROLES]
        form.fields["role"] = forms.ChoiceField(choices=[*roles, *((one.slug, one.name) for one in custom)])
        self._targets = {str(one.id): one for one in covered_targets(self.actor, Permission.GRANT_MANAGE)}
        choices = [(key, f"{one.name} ({one.kind})") for key, one in self._targets.items()]
        form.fields["target"] = forms.ChoiceField(
            label="On", choices=choices, help_text="It counts for everything below, too."
        )
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the provider."""
        target = self._targets[values["target"]]
        map_group(actor=self.actor, provider=self.provider, group=values["group"], role=values["role"], target=target)
        self.say(f"{values['group']} is {values['role']} on {target.name}, from the next sign-in on.")
        return f"{HERE}{self.provider.id}/"


class ChangeProvider(_OfProvider):
    """Other values."""

    template = "console/identity_provider_change.html"
    form = ChangeForm

    def load(self, **address: Any) -> None:
        """The provider, for who has signed in of late."""
        super().load(**address)
        require_fresh(self.actor)

    def context(self) -> Mapping[str, Any]:
        """The provider."""
        return {"provider": self.provider, "tab": "single-sign-on"}

    def initial(self) -> dict[str, Any]:
        """As it is."""
        names = ("name", "issuer", "client_id", "groups_claim", "provisions", "required", "is_active")
        return {name: getattr(self.provider, name) for name in names} | {"domains": ", ".join(self.provider.domains)}

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the provider."""
        change_provider(actor=self.actor, provider=self.provider, **values)
        self.say("Changed.")
        return f"{HERE}{self.provider.id}/"


class _ActOnProvider(Act):
    permission = Permission.ORGANISATION_MANAGE

    def provider(self, provider_id: UUID) -> IdentityProvider:
        """The one that the address names."""
        rows: PermittedQuerySet[IdentityProvider] = PermittedQuerySet(IdentityProvider)
        return self.found(rows, pk=provider_id)


class CheckProvider(_ActOnProvider):
    """Asks the provider for its metadata."""

    def act(self, provider_id: UUID) -> str:
        """Says what was found."""
        provider = self.provider(provider_id)
        found = Connection(self.request, provider).metadata()
        self.say(f"{found['issuer']} answers as an identity provider. Now sign in there once to see the rest.")
        return f"{HERE}{provider.id}/"


class RemoveProvider(_ActOnProvider):
    """Nobody comes in through it any more."""

    def act(self, provider_id: UUID) -> str:
        """Back to the list."""
        provider = self.provider(provider_id)
        remove_provider(actor=self.actor, provider=provider)
        self.say(f"{provider.name} is removed.")
        return HERE


class UnmapGroup(_ActOnProvider):
    """A group means nothing any more."""

    def act(self, provider_id: UUID, mapping_id: UUID) -> str:
        """Back to the provider."""
        provider = self.provider(provider_id)
        rows = GroupMapping.objects.filter(provider=provider).select_related("provider", "principal")
        mapping = rows.filter(pk=mapping_id).first()
        if mapping is None:
            raise InvalidError("This group is not mapped any more.")
        unmap_group(actor=self.actor, mapping=mapping)
        self.say(f"{mapping.group} means nothing here any more.")
        return f"{HERE}{provider.id}/"
