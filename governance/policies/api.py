"""REST endpoints of policies and their versions."""

from typing import Any

from rest_framework import serializers

from agents.registry.models import Agent
from foundation.access.roles import Permission
from foundation.api.operations import operation, verb
from foundation.api.serializers import Body, Shape
from foundation.api.viewsets import Read
from governance.policies.models import EnforcementMode, Policy, PolicyVersion
from governance.policies.services import change_mode, create_policy, publish_policy
from governance.policies.trial import try_act


class PolicyVersionShape(Shape):
    """One immutable version of Cedar source."""

    class Meta:
        model = PolicyVersion
        fields = ["id", "number", "source", "content_hash", "note", "created_at"]


class PolicyShape(Shape):
    """Cedar source with a name; `live` is the version in force."""

    live = PolicyVersionShape(allow_null=True)

    class Meta:
        model = Policy
        fields = ["id", "slug", "name", "mode", "live", "created_at"]


class CreatePolicy(Body):
    """A policy that does not validate is not taken; the errors name line and column."""

    slug = serializers.SlugField(max_length=80)
    name = serializers.CharField(max_length=120)
    source = serializers.CharField(max_length=200_000, trim_whitespace=False)  # type: ignore[assignment]  # a field
    mode = serializers.ChoiceField(choices=EnforcementMode.choices, default=EnforcementMode.ENFORCE)
    note = serializers.CharField(max_length=300, allow_blank=True, default="")


class PublishPolicy(Body):
    """The new source, and what changed."""

    source = serializers.CharField(max_length=200_000, trim_whitespace=False)  # type: ignore[assignment]  # a field
    note = serializers.CharField(max_length=300, allow_blank=True, default="")


class ChangeMode(Body):
    """What the policy's word is worth."""

    mode = serializers.ChoiceField(choices=EnforcementMode.choices)


class TryAct(Body):
    """Would this act pass? Nothing is done and nothing is recorded."""

    agent = serializers.SlugField(max_length=60, help_text="Slug of the agent.")
    kind = serializers.ChoiceField(
        choices=[("tool_call", "Tool call"), ("model_call", "Model call"), ("delegation", "Delegation")],
        default="tool_call",
    )
    target = serializers.CharField(max_length=160, help_text="Name of the tool; slug of the model or agent.")
    arguments = serializers.DictField(default=dict)


class DeterminantShape(serializers.Serializer[Any]):
    """A policy that determined the outcome."""

    policy = serializers.CharField()
    version = serializers.IntegerField()
    effect = serializers.CharField()


class TrialShape(serializers.Serializer[Any]):
    """What the policies would say."""

    effect = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())
    determinants = DeterminantShape(many=True)


class PolicyEndpoints(Read):
    """Policies of the organisation."""

    rows = Policy.objects.select_related("live")
    shape = PolicyShape
    permission = Permission.POLICY_VIEW
    filterset_fields = ["mode"]

    @operation("Create a policy", Permission.POLICY_MANAGE, body=CreatePolicy, status=201)
    def create(self, values: Any) -> Policy:
        """In force at once, in the given mode."""
        self.require()
        return create_policy(actor=self.actor, **values)

    @verb("get", "versions", "List the versions of a policy", answer=PolicyVersionShape, many=True)
    def versions(self, _values: Any) -> Any:
        """The newest first."""
        return PolicyVersion.objects.filter(policy=self.get_object()).order_by("-id")

    @versions.mapping.post  # type: ignore[untyped-decorator]  # of an Any
    @operation("Publish a version of a policy", Permission.POLICY_MANAGE, body=PublishPolicy,
               answer=PolicyVersionShape, status=201)  # fmt: skip
    def publish(self, values: Any) -> PolicyVersion:
        """In force from now on."""
        return publish_policy(actor=self.actor, policy=self.get_object(), **values)

    @verb("post", "mode", "Change the enforcement mode of a policy", Permission.POLICY_MANAGE, body=ChangeMode)
    def mode(self, values: Any) -> Policy:
        """Off, log only, enforce."""
        return change_mode(actor=self.actor, policy=self.get_object(), mode=values["mode"])

    @verb("post", "try", "Try whether an act would pass", Permission.POLICY_VIEW, detail=False, body=TryAct,
          answer=TrialShape)  # fmt: skip
    def try_act(self, values: Any) -> Any:
        """With the policies as they are now."""
        agent = self.find(Agent.objects.all(), values["agent"], Permission.AGENT_VIEW)
        return try_act(
            organisation=self.organisation,
            agent_slug=agent.slug,
            kind=values["kind"],
            target=values["target"],
            arguments=values["arguments"],
        )
