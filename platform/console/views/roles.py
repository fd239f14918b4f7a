"""Settings: who holds which role where, and the roles that the organisation makes itself."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms

from console.forms import GrantForm
from foundation.access.custom_roles import change_role, create_role
from foundation.access.guards import UnknownError
from foundation.access.models import Grant, PermittedQuerySet, Role
from foundation.access.roles import ROLES, Permission
from foundation.access.services import grant, withdraw
from foundation.api.wide import WideQuerySet
from foundation.identity.models import Principal, PrincipalKind, PrincipalState
from foundation.invitations.roles import remove_role
from foundation.web.forms import FormPage
from foundation.web.pages import Act
from foundation.web.targets import covered_targets

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


class Grants(FormPage):
    """Who may do what, where; `?principal=` is chosen already."""

    permission = Permission.GRANT_VIEW
    writing = Permission.GRANT_MANAGE
    place = "settings"
    template = "console/roles.html"
    form = GrantForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """The grants, and what there is to choose from."""
        grants: PermittedQuerySet[Grant] = PermittedQuerySet(Grant)
        rows = grants.permitted(self.actor, Permission.GRANT_VIEW)
        self._grants = list(rows.select_related("principal", "target").order_by("principal__name", "target__name"))
        people = Principal.objects.filter(state=PrincipalState.ACTIVE).exclude(kind=PrincipalKind.AGENT)
        self._people = {str(one.id): one for one in people.order_by("name")}
        self._targets = {str(one.id): one for one in covered_targets(self.actor, Permission.GRANT_MANAGE)}

    def context(self) -> Mapping[str, Any]:
        """The grants, and what each role holds."""
        roles = [(role, sorted(held)) for role, held in ROLES.items()]
        return {"grants": self._grants, "roles": roles, "targets": self._targets, "tab": "roles"}

    def initial(self) -> dict[str, Any]:
        """As the address says."""
        return {"principal": self.request.GET.get("principal", ""), "target": str(self.actor.organisation)}

    def make(self, data: Any = None) -> forms.Form:
        """With people, targets, and the roles: the built-in ones first."""
        form = super().make(data)
        people = [(key, one.name) for key, one in self._people.items()]
        form.fields["principal"] = forms.ChoiceField(label="Who", choices=people)
        targets = [(key, f"{one.name} ({one.kind})") for key, one in self._targets.items()]
        form.fields["target"] = forms.ChoiceField(label="On", choices=targets)
        built_in = [(role, role.replace("-", " ").capitalize()) for role in ROLES]
        own = [(role.slug, role.name) for role in Role.objects.filter(organisation_id=self.tenant).order_by("name")]
        form.fields["role"] = forms.ChoiceField(choices=built_in + own)
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the list."""
        principal, target = self._people[values["principal"]], self._targets[values["target"]]
        grant(actor=self.actor, **{**values, "principal": principal, "target": target})
        self.say(f"{principal.name} is {values['role']} on {target.name}.")
        return "/settings/roles/"


class Withdraw(Act):
    """A grant counts no longer."""

    permission = Permission.GRANT_MANAGE

    def act(self, grant_id: UUID) -> str:
        """Back to the list."""
        grants: PermittedQuerySet[Grant] = PermittedQuerySet(Grant)
        found = grants.permitted(self.actor, self.named).filter(pk=grant_id).first()
        if found is None:
            raise UnknownError("grant")
        withdraw(actor=self.actor, grant=found)
        self.say("The grant is withdrawn.")
        return "/settings/roles/"


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
        grants = Grant.objects.live().filter(custom_role__in=roles)
        used = Counter(grants.values_list("custom_role_id", flat=True))
        rows = [(role, used[role.id]) for role in roles]
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
        remove_role(actor=self.actor, role=self.found(roles, id=role_id))
        return OWN
