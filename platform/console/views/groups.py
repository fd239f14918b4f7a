"""Settings: groups of people and services, and who is in them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Count

from console.api.groups import seat_of
from foundation.access.groups import add_member, create_group, end_group, remove_member
from foundation.access.models import Grant
from foundation.access.roles import Permission
from foundation.api.wide import WideQuerySet
from foundation.identity.models import GroupMember, Principal, PrincipalKind, PrincipalState
from foundation.web.forms import FormPage
from foundation.web.pages import Act, Page

GROUPS: WideQuerySet[Principal] = WideQuerySet(Principal).filter(kind=PrincipalKind.GROUP)
LIST = "/settings/groups/"
LARGEST = 2_000  # members that a page shows


class GroupForm(forms.Form):
    """A new group."""

    name = forms.CharField(max_length=160, help_text="As people call it. Roles are given to it afterwards.")


class MemberForm(forms.Form):
    """Somebody more in a group."""

    member = forms.ChoiceField(label="Who", help_text="They hold what the group is granted from then on.")


class Groups(FormPage):
    """The groups that exist; whoever may, adds one."""

    permission = Permission.PERSON_VIEW
    writing = Permission.PERSON_MANAGE
    place = "settings"
    template = "console/groups.html"
    form = GroupForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """A group belongs to the whole organisation."""
        if self.request.method == "POST":
            self.require()

    def context(self) -> Mapping[str, Any]:
        """Each with its roles and the number of its members: three queries, however many."""
        groups = GROUPS.all().filter(organisation_id=self.tenant).exclude(state=PrincipalState.LEFT)
        groups = groups.annotate(size=Count("members")).prefetch_related("grants__target").order_by("name")
        return {"groups": groups, "why_not": self.why_not(Permission.PERSON_MANAGE), "tab": "groups"}

    def done(self, values: Mapping[str, Any]) -> str:
        """To its members."""
        return f"{LIST}{create_group(actor=self.actor, **values).id}/"


class Group(FormPage):
    """Who is in a group, and what it is granted."""

    permission = Permission.PERSON_VIEW
    writing = Permission.PERSON_MANAGE
    place = "settings"
    template = "console/group.html"
    form = MemberForm

    def load(self, **address: Any) -> None:
        """The group, its members, and who else could join."""
        self._group = self.found(GROUPS, id=address["group_id"])
        seats = GroupMember.objects.filter(group=self._group).select_related("member").order_by("member__name")
        self._seats = list(seats[:LARGEST])
        kinds = [PrincipalKind.PERSON, PrincipalKind.SERVICE]
        others = Principal.objects.filter(organisation_id=self.tenant, kind__in=kinds, state=PrincipalState.ACTIVE)
        others = others.exclude(groups__group=self._group).order_by("name")
        self._others = {str(one.id): one for one in others[:LARGEST]}

    def context(self) -> Mapping[str, Any]:
        """With its grants."""
        grants = Grant.objects.live().filter(principal=self._group).select_related("target", "custom_role")
        return {
            "group": self._group, "seats": self._seats, "grants": grants, "others": self._others, "tab": "groups",
            "why_not": self.why_not(Permission.PERSON_MANAGE),
        }  # fmt: skip

    def make(self, data: Any = None) -> forms.Form:
        """With those who are not in it."""
        form = super().make(data)
        form.fields["member"].choices = [(key, one.name) for key, one in self._others.items()]  # type: ignore[attr-defined]  # a choice field
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """Back to the group."""
        add_member(actor=self.actor, group=self._group, member=self._others[values["member"]])
        return f"{LIST}{self._group.id}/"


class RemoveMember(Act):
    """Somebody leaves a group."""

    permission = Permission.PERSON_MANAGE

    def act(self, group_id: UUID, principal_id: UUID) -> str:
        """Back to the group."""
        group = _group(self, group_id)
        remove_member(actor=self.actor, membership=seat_of(group, principal_id))
        return f"{LIST}{group.id}/"


class EndGroup(Act):
    """A group without grants ends."""

    permission = Permission.PERSON_MANAGE

    def act(self, group_id: UUID) -> str:
        """Back to the list."""
        group = end_group(actor=self.actor, group=_group(self, group_id))
        self.say(f"The group {group.name} has ended.")
        return LIST


def _group(page: Page, identifier: UUID) -> Principal:
    return page.found(GROUPS, id=identifier)
