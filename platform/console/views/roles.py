"""Settings: who holds which role where, and the roles that the organisation makes itself."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms

from console.views.teams import Roles
from foundation.access.custom_roles import change_role, create_role, delete_role
from foundation.access.models import Grant, Role
from foundation.access.roles import ROLES, Permission
from foundation.api.wide import WideQuerySet
from foundation.web.forms import FormPage
from foundation.web.pages import Act

OWN = "/settings/roles/own/"
NAMES = [(one.value, one.value) for one in Permission]


class ChangeRoleForm(forms.Form):
    """What may change of a custom role."""

    name = forms.CharField(max_length=120)
    description = forms.CharField(max_length=300, required=False, help_text="Who is meant to have it, and what for.")
    permissions = forms.MultipleChoiceField(
        choices=NAMES, help_text="You can put in only what you hold on the whole organisation yourself.",
        widget=forms.SelectMultiple(attrs={"size": 12}),
    )  # fmt: skip


class RoleForm(ChangeRoleForm):
    """A new custom role."""

    slug = forms.SlugField(label="Short name", max_length=60, help_text="Lower case and dashes. It stays for ever.")
    field_order = ["name", "slug", "description", "permissions"]


class Grants(Roles):
    """Who may do what, where: with the custom roles to choose from."""

    def make(self, data: Any = None) -> forms.Form:
        """Built-in roles first."""
        form = super().make(data)
        built_in = [(role, role.replace("-", " ").capitalize()) for role in ROLES]
        own = [(role.slug, role.name) for role in Role.objects.filter(organisation_id=self.tenant).order_by("name")]
        form.fields["role"] = forms.ChoiceField(choices=built_in + own)
        return form


class OwnRoles(FormPage):
    """The custom roles; whoever may, adds one."""

    permission = Permission.GRANT_VIEW
    writing = Permission.GRANT_MANAGE
    place = "settings"
    template = "console/own_roles.html"
    form = RoleForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """A role belongs to the whole organisation."""
        if self.request.method == "POST":
            self.require()

    def context(self) -> Mapping[str, Any]:
        """Each with the number of its grants."""
        roles = list(Role.objects.filter(organisation_id=self.tenant).order_by("name"))
        grants = list(Grant.objects.live().filter(custom_role__in=roles).values_list("custom_role_id", flat=True))
        rows = [(role, grants.count(role.id)) for role in roles]
        return {"rows": rows, "why_not": self.why_not(Permission.GRANT_MANAGE), "tab": "roles"}

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the list."""
        role = create_role(actor=self.actor, **values)
        self.say(f"{role.name} can be given now.")
        return OWN


class OwnRole(FormPage):
    """One custom role, to be changed."""

    permission = Permission.GRANT_VIEW
    writing = Permission.GRANT_MANAGE
    place = "settings"
    template = "console/own_role.html"
    form = ChangeRoleForm

    def load(self, **address: Any) -> None:
        """The role."""
        roles: WideQuerySet[Role] = WideQuerySet(Role)
        self._role = self.found(roles, id=address["role_id"])

    def context(self) -> Mapping[str, Any]:
        """And how many hold it."""
        used = Grant.objects.live().filter(custom_role=self._role).count()
        return {"role": self._role, "used": used, "why_not": self.why_not(Permission.GRANT_MANAGE), "tab": "roles"}

    def initial(self) -> dict[str, Any]:
        """As it stands."""
        role = self._role
        return {"name": role.name, "description": role.description, "permissions": role.permissions}

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the list."""
        change_role(actor=self.actor, role=self._role, **values)
        self.say(f"{self._role.name} is changed, for everybody who holds it.")
        return OWN


class DeleteRole(Act):
    """A custom role that nobody holds goes."""

    permission = Permission.GRANT_MANAGE

    def act(self, role_id: UUID) -> str:
        """Back to the list."""
        roles: WideQuerySet[Role] = WideQuerySet(Role)
        delete_role(actor=self.actor, role=self.found(roles, id=role_id))
        return OWN
