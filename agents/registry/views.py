"""Pages of agents: the registry, a new agent, versions, its states. The agent's own page is the console's."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from agents.catalogue.models import LanguageModel
from agents.registry.forms import AgentForm, VersionForm
from agents.registry.models import Agent, AgentState, AgentVersion
from agents.registry.reviewing import OWNERLESS, return_agent, submit_agent, take_over_agent
from agents.registry.services import (
    NO_SPONSOR,
    activate_agent,
    change_sponsor,
    create_agent,
    publish_version,
    retire_agent,
    serve_version,
    suspend_agent,
)
from agents.tools.builtins import BUILTIN_TOOLS
from agents.tools.models import Tool, ToolState
from foundation.access.guards import UnknownError
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.errors import InvalidError
from foundation.identity.models import Principal, PrincipalKind, PrincipalState
from foundation.organisations.models import Team
from foundation.web.components.controls import Choice
from foundation.web.components.quantities import MICRO
from foundation.web.forms import FormPage
from foundation.web.listing import exported, page_of
from foundation.web.pages import Act, Page

VIEWS: dict[str, tuple[str, Callable[[Actor], Q]]] = {
    "mine": ("Mine", lambda actor: Q(sponsor_id=actor.principal)),
    "ownerless": ("Ownerless", lambda _: OWNERLESS),
    "draft": ("Drafts", lambda _: Q(state=AgentState.DRAFT)),
    "in_review": ("In review", lambda _: Q(state=AgentState.IN_REVIEW)),
    "suspended": ("Suspended", lambda _: Q(state=AgentState.SUSPENDED)),
}
ADDED = ("max_tokens", "max_children", "context_tokens", "truncation", "on_exhausted")
COLUMNS = {
    "id": lambda agent: agent.id,
    "slug": lambda agent: agent.slug,
    "name": lambda agent: agent.name,
    "team": lambda agent: agent.team.slug,
    "sponsor": lambda agent: agent.sponsor.name if agent.sponsor else "",
    "state": lambda agent: agent.state,
    "version": lambda agent: agent.serving.number if agent.serving else "",
}


class Agents(Page):
    """`?view=` mine, ownerless, draft, in_review, suspended; `?q=`."""

    permission = Permission.AGENT_VIEW
    place = "agents"
    template = "agents/agents.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The registry."""
        view, words = request.GET.get("view", ""), request.GET.get("q", "")
        rows = self.permitted(Agent.objects.select_related("team", "sponsor", "serving__language_model"))
        if view in VIEWS:
            rows = rows.filter(VIEWS[view][1](self.actor))
        if words:
            rows = rows.filter(Q(name__icontains=words) | Q(slug__icontains=words) | Q(purpose__icontains=words))
        if (file := exported(request, rows, COLUMNS, "agents")) is not None:
            return file
        choices = [Choice("", "All"), *(Choice(key, label) for key, (label, _) in VIEWS.items())]
        context = {"slice": page_of(request, rows), "views": choices, "q": words, "filtered": bool(request.GET)}
        return self.render({**context, "why_not_create": self.why_not(Permission.AGENT_MANAGE)})


class NewAgent(FormPage):
    """A draft in one of the teams that the actor manages agents of."""

    permission = Permission.AGENT_MANAGE
    place = "agents"
    template = "agents/new.html"
    form = AgentForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """What there is to choose from."""
        teams: PermittedQuerySet[Team] = PermittedQuerySet(Team)
        self._teams = {str(team.id): team for team in self.permitted(teams).order_by("name")}
        self._people = active_people()

    def make(self, data: Any = None) -> forms.Form:
        """With teams and people."""
        form = super().make(data)
        form.fields["team"] = forms.ChoiceField(choices=[(key, team.name) for key, team in self._teams.items()])
        people = [(key, person.name) for key, person in self._people.items()]
        form.fields["sponsor"] = forms.ChoiceField(
            choices=people, initial=str(self.actor.principal), help_text="The person who answers for it."
        )
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To its first version."""
        chosen = {"team": self._teams[values["team"]], "sponsor": self._people[values["sponsor"]]}
        agent = create_agent(actor=self.actor, **{**values, **chosen})
        return f"/agents/{agent.slug}/versions/new"


def active_people() -> dict[str, Principal]:
    """The people who may answer for an agent."""
    people = Principal.objects.filter(kind=PrincipalKind.PERSON, state=PrincipalState.ACTIVE)
    return {str(person.id): person for person in people.order_by("name")}


class Versions(Page):
    """All versions of an agent; `?from=&to=` shows what changed between two."""

    permission = Permission.AGENT_VIEW
    place = "agents"
    template = "agents/versions.html"

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The newest first, each with the one before it to compare."""
        agent = self.found(Agent.objects.select_related("team", "serving"), slug=slug)
        versions = list(agent.versions.select_related("language_model").order_by("-number"))
        pairs = list(zip(versions, [*versions[1:], None], strict=True))
        why_not = self.why_not(Permission.AGENT_MANAGE, agent.target_id)
        return self.render({"agent": agent, "pairs": pairs, "why_not": why_not})


class NewVersion(FormPage):
    """Published, and served from then on if the box is ticked."""

    permission = Permission.AGENT_MANAGE
    place = "agents"
    template = "agents/version_new.html"
    form = VersionForm

    def load(self, **address: Any) -> None:
        """The agent, its last version, and what there is to choose from."""
        self._agent = self.found(Agent.objects.select_related("team", "organisation"), slug=address["slug"])
        self._last = self._agent.versions.select_related("language_model").order_by("-number").first()
        models = LanguageModel.objects.all().permitted(self.actor, Permission.MODEL_VIEW).filter(enabled=True)
        self._models = {str(model.id): model for model in models.select_related("provider").order_by("name")}
        tools = Tool.objects.all().permitted(self.actor, Permission.TOOL_VIEW)
        self._tools = list(tools.filter(state=ToolState.ACTIVE).order_by("name"))
        others = Agent.objects.all().permitted(self.actor, Permission.AGENT_VIEW).exclude(pk=self._agent.pk)
        self._others = list(others.exclude(state=AgentState.RETIRED).order_by("name"))

    def context(self) -> Mapping[str, Any]:
        """The agent."""
        return {"agent": self._agent, "last": self._last}

    def initial(self) -> dict[str, Any]:
        """As the last version says."""
        last = self._last
        if last is None:
            return {}
        same = ("instructions", "tools", "delegates", "max_steps", "max_seconds", "max_output_tokens", *ADDED)
        money = f"{last.run_budget / MICRO:.6f}".rstrip("0").rstrip(".")
        return {
            **{name: getattr(last, name) for name in same},
            "language_model": str(last.language_model_id),
            "run_budget": money,
        }

    def make(self, data: Any = None) -> forms.Form:
        """With models, tools and agents."""
        form = super().make(data)
        models = [(key, f"{model.name} · {model.provider.name}") for key, model in self._models.items()]
        choices: dict[str, list[tuple[str, str]]] = {
            "language_model": models,
            "tools": [
                *((tool.name, f"{tool.name} ({tool.effect})") for tool in self._tools),
                *((name, f"{name} (built in)") for name in BUILTIN_TOOLS),
            ],
            "delegates": [(agent.slug, agent.name) for agent in self._others],
        }
        for name, found in choices.items():
            chosen = form.fields[name]
            if isinstance(chosen, forms.ChoiceField):
                chosen.choices = found
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To the versions, where it can be made to serve."""
        # What the form leaves out has the default of the verb.
        given = {name: value for name, value in values.items() if name not in ADDED or value not in (None, "")}
        version = publish_version(
            actor=self.actor,
            agent=self._agent,
            **{
                **given,
                "language_model": self._models[values["language_model"]],
                "run_budget": int(values["run_budget"] * MICRO),
            },
        )
        self.say(f"Version {version.number} is published. It serves when you say so.")
        return f"/agents/{self._agent.slug}/versions/"


class Serve(Act):
    """New sessions get this version."""

    permission = Permission.AGENT_MANAGE

    def act(self, slug: str, number: int) -> str:
        """Back to the versions."""
        agent = self.found(Agent.objects.all(), slug=slug)
        version = AgentVersion.objects.filter(agent=agent, number=number).first()
        if version is None:
            raise UnknownError("agent version")
        serve_version(actor=self.actor, agent=agent, version=version)
        self.say(f"Version {number} serves from now on. Sessions that have begun keep theirs.")
        return f"/agents/{slug}/versions/"


STEPS: dict[str, Callable[..., Agent]] = {
    "submit": submit_agent,
    "return": return_agent,
    "activate": activate_agent,
    "suspend": suspend_agent,
    "retire": retire_agent,
    "take-over": take_over_agent,
}


class ChangeState(Act):
    """One step of an agent's life. What stops it, or sends it back, needs a reason."""

    permission = Permission.AGENT_MANAGE

    def act(self, slug: str, verb: str) -> str:
        """Back to the agent."""
        agent = self.found(Agent.objects.all(), slug=slug)
        reason = self.request.POST.get("reason", "").strip()
        STEPS[verb](actor=self.actor, agent=agent, reason=reason)
        return f"/agents/{slug}/"


class ChangeSponsor(Act):
    """Another person answers for the agent."""

    permission = Permission.AGENT_MANAGE

    def act(self, slug: str) -> str:
        """Back to the agent."""
        agent = self.found(Agent.objects.all(), slug=slug)
        try:
            sponsor = Principal.objects.filter(pk=UUID(self.request.POST.get("sponsor", ""))).first()
        except ValueError:
            sponsor = None
        if sponsor is None:
            raise InvalidError(NO_SPONSOR, "sponsor")
        change_sponsor(actor=self.actor, agent=agent, sponsor=sponsor)
        return f"/agents/{slug}/"
