"""Which version may carry on with a run: what somebody could also start, or move a session to, and no other."""

from uuid import UUID

from django.db.models import QuerySet

from agents.registry.models import AgentVersion
from agents.runs.models import Run
from foundation.access.guards import RefusedError
from foundation.access.models import permissions_on
from foundation.access.roles import Permission
from foundation.actors import Actor


def require_version(actor: Actor, run: Run, version: AgentVersion) -> None:
    """Refuse another version than the run's own to whoever could not have it run otherwise. Raises RefusedError."""
    needed = _needed(run, version.pk)
    if needed is not None and not permissions_on(actor, run.target_id) & {needed, Permission.AGENT_MANAGE}:
        raise RefusedError(needed, run.target_id)


def usable_versions(actor: Actor, run: Run) -> QuerySet[AgentVersion]:
    """The versions of a run's agent that the actor may let carry on with it."""
    rows = AgentVersion.objects.filter(agent_id=run.agent_id)
    held = permissions_on(actor, run.target_id)
    if Permission.AGENT_MANAGE in held:
        return rows
    return rows.filter(pk__in=[run.version_id, *(_startable(run) if Permission.RUN_START in held else [])])


def _needed(run: Run, version: UUID) -> Permission | None:
    if version == run.version_id:
        return None
    return Permission.RUN_START if version in _startable(run) else Permission.AGENT_MANAGE


def _startable(run: Run) -> list[UUID | None]:
    """What a new run would work with: in a session of its own, or in the run's."""
    return [run.agent.serving_id, run.session.version_id]
