"""`remit.hand_over`: another agent takes the session over, and this run ends.

Only a run that nobody delegated hands over: whoever delegated waits for the answer of the agent that it chose. To the
gate it is a delegation, so that whoever may not delegate to an agent may not hand over to it. The other agent acts for
this one and for all that this one acted for; what it spends counts against this run too.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents.runs.builtins.port import Done, Over
from agents.runs.calls import receiver_problem
from agents.runs.children import create_follower
from agents.runs.models import StepState
from agents.tools.builtins import HAND_OVER
from agents.tools.port import ToolEffect
from foundation.batches import Cursor

if TYPE_CHECKING:
    from agents.runs.journal import StepRow
    from agents.runs.models import Step
    from agents.runs.work import Work


class HandOver:
    """Give the session to one of the version's delegates."""

    name = HAND_OVER
    description = (
        "Hand this conversation over to another agent, for good: your work ends, and the other agent goes on with all "
        "that was said. `agent` is one of those that you may give work to, `note` says what it is to do."
    )
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "agent": {"type": "string", "minLength": 1, "maxLength": 60},
            "note": {"type": "string", "minLength": 1, "maxLength": 100_000},
        },
        "required": ["agent", "note"],
        "additionalProperties": False,
    }
    effect = ToolEffect.IDEMPOTENT

    def problem(self, work: "Work", arguments: Mapping[str, Any]) -> str:
        """Why it cannot be handed over, or not to this agent."""
        if work.run.parent_id is not None or (work.player is not None and work.player.was_delegated):
            return "Somebody waits for your answer: answer, or delegate. Only a run that nobody delegated hands over."
        return receiver_problem(work, arguments["agent"])

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Over:
        """The follower, and the end of this run."""
        agent = work.delegates[step.input["agent"]]
        follower = create_follower(cursor, work, step, agent.slug, step.input["note"])
        output = {"text": f"Handed over to {agent.name}.", "handed_over_to": agent.slug, "run": str(follower)}
        return Over(output=output, bells=(follower,))

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done:  # noqa: ARG002 - the port's
        """It never waits."""
        return Done(state=StepState.FAILED, error="This tool does not wait.")
