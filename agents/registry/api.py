"""REST endpoints of agents and their versions."""

from typing import Any

from rest_framework import serializers

from agents.catalogue.models import LanguageModel
from agents.registry.models import Agent, AgentVersion, OnExhausted, Truncation
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
from foundation.access.guards import UnknownError
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, MandatoryReason, Reason, Shape
from foundation.api.viewsets import Read
from foundation.errors import InvalidError
from foundation.identity.models import Principal
from foundation.organisations.models import Team


class TeamName(Shape):
    """Which team."""

    class Meta:
        model = Team
        fields = ["id", "slug", "name"]


class SponsorName(Shape):
    """Who answers for the agent."""

    class Meta:
        model = Principal
        fields = ["id", "name", "state"]


class ModelName(Shape):
    """Which language model."""

    class Meta:
        model = LanguageModel
        fields = ["id", "slug", "name"]


class AgentVersionShape(Shape):
    """An immutable, numbered definition. Limits in steps, seconds, tokens, and micro-units of money for one run."""

    language_model = ModelName()
    tools = serializers.ListField(child=serializers.CharField())
    delegates = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = AgentVersion
        fields = ["id", "number", "instructions", "language_model", "tools", "delegates", "max_steps", "max_seconds",
                  "max_output_tokens", "run_budget", "max_tokens", "max_children", "context_tokens", "truncation",
                  "on_exhausted", "content_hash", "note", "created_at"]  # fmt: skip


class ServingName(Shape):
    """Which version new sessions get."""

    class Meta:
        model = AgentVersion
        fields = ["id", "number", "content_hash"]


class AgentShape(Shape):
    """A durable, named worker with its own identity. Without a sponsor it starts nothing."""

    team = TeamName()
    sponsor = SponsorName(allow_null=True)
    serving = ServingName(allow_null=True)

    class Meta:
        model = Agent
        fields = ["id", "slug", "name", "purpose", "team", "sponsor", "serving", "state", "created_at"]


class CreateAgent(Body):
    """`team` by id or slug; `sponsor` is the id of a person, by default yours."""

    team = serializers.CharField()
    slug = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=120)
    purpose = serializers.CharField(max_length=300, allow_blank=True, default="")
    sponsor = serializers.UUIDField(required=False, allow_null=True, default=None)


class PublishVersion(Body):
    """`language_model` by id or slug, `tools` by name, `delegates` by slug; `run_budget` in micro-units.

    `max_tokens` is for a run with all that comes of it, 0 is no limit; `context_tokens` 0 is what the model takes.
    """

    instructions = serializers.CharField(max_length=200_000, trim_whitespace=False)
    language_model = serializers.CharField()
    tools = serializers.ListField(child=serializers.CharField(max_length=160), max_length=200, default=list)
    delegates = serializers.ListField(child=serializers.SlugField(max_length=60), max_length=100, default=list)
    max_steps = serializers.IntegerField(min_value=1, max_value=10_000, default=40)
    max_seconds = serializers.IntegerField(min_value=1, max_value=31_536_000, default=86_400)
    max_output_tokens = serializers.IntegerField(min_value=1, max_value=1_000_000, default=1_024)
    run_budget = serializers.IntegerField(min_value=0, max_value=2**53 - 1, default=100_000)
    max_tokens = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    max_children = serializers.IntegerField(min_value=0, max_value=1_000, default=16)
    context_tokens = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    truncation = serializers.ChoiceField(choices=Truncation.choices, default=Truncation.COMPACT.value)
    on_exhausted = serializers.ChoiceField(choices=OnExhausted.choices, default=OnExhausted.STOP.value)
    note = serializers.CharField(max_length=300, allow_blank=True, default="")


class ServeVersion(Body):
    """The number of a version of this agent."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class ChangeSponsor(Body):
    """The id of the person who answers for the agent from now on."""

    sponsor = serializers.UUIDField()


class AgentEndpoints(Read):
    """Agents of the teams that one may see."""

    rows = Agent.objects.select_related("team", "sponsor", "serving")
    shape = AgentShape
    permission = Permission.AGENT_VIEW
    filterset_fields = ["team", "state", "sponsor"]

    @operation("Create an agent", Permission.AGENT_MANAGE, body=CreateAgent, status=201)
    def create(self, values: Any) -> Agent:
        """A draft: it starts nothing until it has a version that serves and is activated."""
        teams: PermittedQuerySet[Team] = PermittedQuerySet(Team)
        team = self.find(teams, values.pop("team"))
        sponsor = self._person(values.pop("sponsor") or self.actor.principal)
        return create_agent(actor=self.actor, team=team, sponsor=sponsor, **values)

    @verb("get", "versions", "List the versions of an agent", answer=AgentVersionShape, many=True)
    def versions(self, _values: Any) -> Any:
        """The newest first."""
        return self._versions().order_by("-id")

    @versions.mapping.post  # type: ignore[untyped-decorator]  # of an Any
    @operation("Publish a version of an agent", Permission.AGENT_MANAGE, body=PublishVersion,
               answer=AgentVersionShape, status=201)  # fmt: skip
    def publish(self, values: Any) -> AgentVersion:
        """It never changes; it serves when it is told to."""
        agent = self.get_object()
        model = self.find(LanguageModel.objects.all(), values.pop("language_model"), Permission.MODEL_VIEW)
        return publish_version(actor=self.actor, agent=agent, language_model=model, **values)

    @verb("get", r"versions/(?P<number>[0-9]{1,9})", "Show one version of an agent", answer=AgentVersionShape)
    def version(self, _values: Any, number: str) -> AgentVersion:
        """By its number."""
        return self._version(int(number))

    @verb("post", "serve", "Let a version of an agent serve", Permission.AGENT_MANAGE, body=ServeVersion)
    def serve(self, values: Any) -> Agent:
        """New sessions get it; those that began keep theirs."""
        version = self._version(values["version"])
        return serve_version(actor=self.actor, agent=self.get_object(), version=version)

    @verb("post", "activate", "Activate an agent", Permission.AGENT_MANAGE)
    def activate(self, _values: Any) -> Agent:
        """It may start runs. Out of review somebody else than its builder does this."""
        return activate_agent(actor=self.actor, agent=self.get_object())

    @verb("get", "ownerless", "List agents for which nobody answers", detail=False, many=True)
    def ownerless(self, _values: Any) -> Any:
        """They start nothing until somebody takes them over."""
        return self.get_queryset().filter(OWNERLESS)

    @verb("post", "submit", "Send an agent to review", Permission.AGENT_MANAGE, body=Reason)
    def submit(self, values: Any) -> Agent:
        """Somebody else activates it, or returns it."""
        return submit_agent(actor=self.actor, agent=self.get_object(), reason=values["reason"])

    @verb("post", "return", "Return an agent to its builder", Permission.AGENT_MANAGE, body=MandatoryReason)
    def give_back(self, values: Any) -> Agent:
        """With what is to be mended."""
        return return_agent(actor=self.actor, agent=self.get_object(), reason=values["reason"])

    @verb("post", "take-over", "Take over an ownerless agent", Permission.AGENT_MANAGE, body=Reason)
    def take_over(self, values: Any) -> Agent:
        """You answer for it from now on."""
        return take_over_agent(actor=self.actor, agent=self.get_object(), reason=values["reason"])

    @verb("post", "suspend", "Suspend an agent", Permission.AGENT_MANAGE, body=MandatoryReason)
    def suspend(self, values: Any) -> Agent:
        """It starts nothing until it is activated again."""
        return suspend_agent(actor=self.actor, agent=self.get_object(), reason=values["reason"])

    @verb("post", "retire", "Retire an agent for good", Permission.AGENT_MANAGE, body=MandatoryReason)
    def retire(self, values: Any) -> Agent:
        """It never comes back."""
        return retire_agent(actor=self.actor, agent=self.get_object(), reason=values["reason"])

    @verb("post", "sponsor", "Change the sponsor of an agent", Permission.AGENT_MANAGE, body=ChangeSponsor)
    def sponsor(self, values: Any) -> Agent:
        """Another person answers for it."""
        return change_sponsor(actor=self.actor, agent=self.get_object(), sponsor=self._person(values["sponsor"]))

    def _versions(self) -> Any:
        return AgentVersion.objects.select_related("language_model").filter(agent=self.get_object())

    def _version(self, number: int) -> AgentVersion:
        found: AgentVersion | None = self._versions().filter(number=number).first()
        if found is None:
            raise UnknownError("agent version")
        return found

    def _person(self, identifier: Any) -> Principal:
        found = Principal.objects.filter(pk=identifier).first() if identifier else None
        if found is None:
            raise InvalidError(NO_SPONSOR, "sponsor")
        return found
