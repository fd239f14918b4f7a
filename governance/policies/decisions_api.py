"""REST endpoints of the decisions that policies gave."""

from agents.runs.body_shapes import BodyEndpoints, BodyField
from foundation.access.roles import Permission
from foundation.api.serializers import Shape
from foundation.api.viewsets import Read
from governance.policies.models import PolicyDecision


class DecisionShape(Shape):
    """Allow, deny or ask for one act. `policy_effect` is what the policies said, `effect` what was enforced.

    `facts` is what they were asked, arguments included: it is for auditors.
    """

    facts = BodyField()

    class Meta:
        model = PolicyDecision
        fields = ["id", "run_id", "step", "kind", "name", "effect", "policy_effect", "reasons", "determinants",
                  "digest", "generation", "facts", "facts_digest", "at"]  # fmt: skip


class DecisionEndpoints(BodyEndpoints, Read):
    """Every decision of the gate."""

    rows = PolicyDecision.objects.all()
    shape = DecisionShape
    permission = Permission.POLICY_VIEW
    mixes_runs = True
    filterset_fields = ["run_id", "step", "kind", "name", "effect"]
