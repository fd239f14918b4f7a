"""Pages of policies: the list, one policy with its versions, a new version, and trying an act."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents.registry.models import Agent
from foundation.access.guards import UnknownError
from foundation.access.roles import Permission
from foundation.errors import InvalidError
from foundation.web.forms import FormPage
from foundation.web.pages import Act, Page
from governance.policies.forms import PolicyForm, SourceForm, TryForm
from governance.policies.models import EnforcementMode, Policy, PolicyDecision, PolicyVersion
from governance.policies.services import change_mode, create_policy, publish_policy
from governance.policies.trial import try_act

DAYS = 14


class Policies(Page):
    """All policies, and what they did lately."""

    permission = Permission.POLICY_VIEW
    place = "policies"
    template = "governance/policies.html"

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The list."""
        rows = self.permitted(Policy.objects.select_related("live")).order_by("name")
        context = {"policies": rows, "decided": self._decided(), "days": DAYS}
        return self.render({**context, "why_not": self.why_not(Permission.POLICY_MANAGE)})

    def _decided(self) -> dict[str, int]:
        """How often each outcome was given."""
        since = timezone.now() - timedelta(days=DAYS)
        decisions = self.permitted(PolicyDecision.objects.all()).filter(at__gte=since)
        return decisions.aggregate(
            allowed=Count("id", filter=Q(effect="allow")),
            asked=Count("id", filter=Q(effect="ask")),
            denied=Count("id", filter=Q(effect="deny")),
        )


class PolicyPage(Page):
    """One policy: the source in force, its versions, its latest decisions. `?version=` shows an earlier one."""

    permission = Permission.POLICY_VIEW
    place = "policies"
    template = "governance/policy.html"

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """The page."""
        policy = self.found(Policy.objects.select_related("live"), slug=slug)
        versions = list(policy.versions.order_by("-number"))
        shown = self._shown(policy, versions, request.GET.get("version", ""))
        decisions = self.permitted(PolicyDecision.objects.all()).filter(determinants__contains=[{"policy": slug}])
        context = {
            "policy": policy,
            "shown": shown,
            "former": next((one for one in versions if shown and one.number == shown.number - 1), None),
            "versions": versions,
            "decisions": list(decisions.order_by("-id")[:12]),
            "modes": EnforcementMode.choices,
        }
        return self.render({**context, "why_not": self.why_not(Permission.POLICY_MANAGE)})

    def _shown(self, policy: Policy, versions: list[PolicyVersion], number: str) -> PolicyVersion | None:
        if not number:
            live: PolicyVersion | None = policy.live
            return live
        found = next((one for one in versions if str(one.number) == number), None)
        if found is None:
            raise UnknownError("policy version")
        return found


class NewPolicy(FormPage):
    """A policy that does not validate is not taken; the errors name lines."""

    permission = Permission.POLICY_MANAGE
    place = "policies"
    template = "governance/policy_edit.html"
    form = PolicyForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """Policies belong to the whole organisation."""
        self.require()

    def done(self, values: Mapping[str, Any]) -> str:
        """To the policy."""
        policy = create_policy(actor=self.actor, **values)
        self.say(f"{policy.name} is published.")
        return f"/policies/{policy.slug}/"


class EditPolicy(FormPage):
    """The next version."""

    permission = Permission.POLICY_MANAGE
    place = "policies"
    template = "governance/policy_edit.html"
    form = SourceForm

    def load(self, **address: Any) -> None:
        """The policy."""
        self._policy = self.found(Policy.objects.select_related("live"), slug=address["slug"])

    def context(self) -> Mapping[str, Any]:
        """The policy."""
        return {"policy": self._policy}

    def initial(self) -> dict[str, Any]:
        """The source in force."""
        return {"source": self._policy.live.source if self._policy.live else ""}

    def done(self, values: Mapping[str, Any]) -> str:
        """To the policy."""
        version = publish_policy(actor=self.actor, policy=self._policy, **values)
        self.say(f"Version {version.number} of {self._policy.name} is in force.")
        return f"/policies/{self._policy.slug}/"


class ChangeMode(Act):
    """Off, log only, enforce."""

    permission = Permission.POLICY_MANAGE

    def act(self, slug: str) -> str:
        """Back to the policy."""
        policy = self.found(Policy.objects.all(), slug=slug)
        change_mode(actor=self.actor, policy=policy, mode=self.request.POST.get("mode", ""))
        return f"/policies/{slug}/"


class Try(FormPage):
    """Would this act pass? Nothing is done, and nothing is recorded."""

    permission = Permission.POLICY_VIEW
    place = "policies"
    template = "governance/policy_try.html"
    form = TryForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """The agents to choose from."""
        agents = Agent.objects.all().permitted(self.actor, Permission.AGENT_VIEW).order_by("name")
        self._agents = list(agents)
        self._decision: Any = None

    def context(self) -> Mapping[str, Any]:
        """The answer, once there is one."""
        return {"decision": self._decision}

    def initial(self) -> dict[str, Any]:
        """As the address says."""
        return {name: self.request.GET[name] for name in ("agent", "target") if name in self.request.GET}

    def make(self, data: Any = None) -> forms.Form:
        """With the agents."""
        form = super().make(data)
        form.fields["agent"] = forms.ChoiceField(choices=[(agent.slug, agent.name) for agent in self._agents])
        return form

    def post(self, request: HttpRequest, **address: Any) -> HttpResponse:
        """The page again, with the answer."""
        self.load(**address)
        form = self.make(request.POST)
        if form.is_valid():
            values = form.cleaned_data
            try:
                self._decision = try_act(
                    organisation=self.organisation,
                    agent_slug=values["agent"],
                    kind=values["kind"],
                    target=values["target"],
                    arguments=values["arguments"],
                )
            except InvalidError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
        return self.render({**self.context(), "form": form})
