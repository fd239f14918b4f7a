"""Settings: what one lets agents do in one's name."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms

from agents.registry.models import Agent, AgentState
from foundation.access.models import permissions_on
from foundation.access.roles import Permission
from foundation.delegation.effective import is_live
from foundation.delegation.models import DelegationGrant
from foundation.delegation.services import give_delegation, narrow_delegation, revoke_delegation
from foundation.errors import ConflictError, InvalidError
from foundation.instants import database_now
from foundation.web.forms import FormPage
from foundation.web.pages import Act

MOST = 200
MINUTE = "%Y-%m-%dT%H:%M"  # what a browser's field for a moment holds


class DelegationForm(forms.Form):
    """A new delegation."""

    agent = forms.ChoiceField(help_text="It may act in your name, within what you say here.")
    scopes = forms.CharField(
        initial="tool:*",
        max_length=4_000,
        help_text="What it may do, parted by blanks: tool:orders.find_order, tool:orders.*, agent:clerk, a permission.",
    )
    audience = forms.CharField(
        max_length=4_000, help_text="At whom, parted by blanks: short names of connectors, or remit."
    )
    expires_at = forms.DateTimeField(
        label="Until", help_text="UTC.", widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    parent = forms.ChoiceField(
        label="Part of", required=False, help_text="A delegation of yours whose agent may pass this part of it on."
    )
    reason = forms.CharField(max_length=300, required=False)


class NarrowForm(forms.Form):
    """What stays of a delegation."""

    scopes = forms.CharField(max_length=13_000, help_text="What it may still do, parted by blanks. Take words out.")
    audience = forms.CharField(max_length=13_000, help_text="At whom it may still do it, parted by blanks.")
    expires_at = forms.DateTimeField(
        label="Until",
        help_text="UTC. The end can only come nearer.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )


class Delegations(FormPage):
    """Those given to agents that one may see; one gives one's own."""

    permission = Permission.AGENT_VIEW
    writing = Permission.RUN_START
    place = "settings"
    template = "console/delegations.html"
    form = DelegationForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """The agents that one may start."""
        agents = Agent.objects.select_related("principal").permitted(self.actor, Permission.RUN_START)
        self._agents = {str(one.id): one for one in agents.exclude(state=AgentState.RETIRED).order_by("name")[:MOST]}
        given = DelegationGrant.objects.select_related("receiver").filter(person__in=[self.actor.principal])
        living = given.filter(revoked_at=None, expires_at__gt=database_now()).order_by("-id")[:MOST]
        self._parents = {str(one.id): one for one in living}

    def context(self) -> Mapping[str, Any]:
        """The newest first."""
        rows = DelegationGrant.objects.select_related("person", "giver", "receiver")
        return {
            "delegations": rows.permitted(self.actor, Permission.AGENT_VIEW).order_by("-id")[:MOST],
            "now": database_now(),
            "own": self.actor.principal,
            "manages": Permission.GRANT_MANAGE in permissions_on(self.actor, self.tenant),
            "may_give": bool(self._agents),
            "tab": "delegations",
        }

    def initial(self) -> dict[str, Any]:
        """For a day, at Remit itself."""
        return {"audience": "remit", "expires_at": (database_now() + timedelta(days=1)).strftime(MINUTE)}

    def make(self, data: Any = None) -> forms.Form:
        """With the agents."""
        form = super().make(data)
        form.fields["agent"] = forms.ChoiceField(
            choices=[(key, one.name) for key, one in self._agents.items()],
            help_text="It may act in your name, within what you say here.",
        )
        above = [(key, f"{one.receiver.name}: {' '.join(one.scopes)[:60]}") for key, one in self._parents.items()]
        form.fields["parent"] = forms.ChoiceField(
            label="Part of",
            required=False,
            choices=[("", "nothing: you give it yourself"), *above],
            help_text="A delegation of yours whose agent may pass this part of it on.",
        )
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To the list."""
        agent = self._agents[values["agent"]]
        give_delegation(
            actor=self.actor,
            receiver=agent.principal,
            scopes=values["scopes"].split(),
            audience=values["audience"].split(),
            expires_at=values["expires_at"],
            reason=values["reason"],
            parent=self._parents.get(values["parent"]),
        )
        self.say(f"{agent.name} may act in your name.")
        return "/settings/delegations/"


class Narrow(FormPage):
    """Less of one that was given: nothing that was not in it before can come in."""

    permission = Permission.RUN_START
    place = "settings"
    template = "console/delegation.html"
    form = NarrowForm

    def load(self, **address: Any) -> None:
        """The delegation, if it still counts."""
        rows = DelegationGrant.objects.select_related("person", "giver", "receiver")
        self._given = self.found(rows, pk=address["delegation_id"])
        if not is_live(self._given, database_now()):
            raise ConflictError("This delegation is over: give a new one.")

    def context(self) -> Mapping[str, Any]:
        """As it stands."""
        return {"given": self._given, "tab": "delegations"}

    def initial(self) -> dict[str, Any]:
        """What it has now; the form tells the end by the minute."""
        given = self._given
        end = given.expires_at.strftime(MINUTE)
        return {"scopes": " ".join(given.scopes), "audience": " ".join(given.audience), "expires_at": end}

    def done(self, values: Mapping[str, Any]) -> str:
        """To the list. What was not touched stays as it is, to the second."""
        scopes, audience, end = values["scopes"].split(), values["audience"].split(), values["expires_at"]
        same = (set(scopes) == set(self._given.scopes), set(audience) == set(self._given.audience),
                end.strftime(MINUTE) == self._given.expires_at.strftime(MINUTE))  # fmt: skip
        if all(same):
            raise InvalidError("Nothing is less than before: take words out, or bring the end nearer.")
        narrow_delegation(
            actor=self.actor,
            delegation=self._given,
            scopes=None if same[0] else scopes,
            audience=None if same[1] else audience,
            expires_at=None if same[2] else end,
        )
        self.say("The delegation is narrowed, and so is what rests on it.")
        return "/settings/delegations/"


class Revoke(Act):
    """It counts no longer, nor does what rests on it."""

    permission = Permission.RUN_START

    def act(self, delegation_id: UUID) -> str:
        """Back to the list."""
        found = self.found(DelegationGrant.objects.all(), pk=delegation_id)
        revoke_delegation(actor=self.actor, delegation=found, reason=self.request.POST.get("reason", ""))
        self.say("The delegation is revoked.")
        return "/settings/delegations/"
