"""Run tokens for the connectors that want one, and the question whether one still counts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agents.registry.models import Agent
from agents.runs.clock import clock
from agents.runs.journal import ENGINE, release_connection
from agents.runs.models import ENDED, Run
from agents.runs.remit import remit_of, rights_of_version
from agents.runs.work import Work
from agents.tools.models import TokenHeader, Tool
from foundation.delegation.effective import Link, Rights, covers
from foundation.delegation.standing import check_standing, spend
from foundation.delegation.tokens import Claims, TokenRefusedError, end_of, mint, verify


class NoRightsError(Exception):
    """The run may not call this tool any more, in whosever name: no token is made for it."""


@dataclass(frozen=True, slots=True)
class RunToken:
    """A token, and the header that carries it."""

    token: str
    headers: dict[str, str]


def token_for(work: Work, tool: Tool) -> RunToken | None:
    """A token for one call of a tool, if its connector wants one: for its audience, and for what the run may do there.

    Raises NoRightsError, and KeyUnusableError.
    """
    connector = tool.connector
    if not connector.token_header:
        return None
    now = clock.now()
    try:
        remit = remit_of(work.run, work.version, now, ENGINE)
    finally:
        release_connection()
    word = f"tool:{tool.name}"
    if not covers(remit.rights, word):
        lacking = next((link for link in remit.links if not covers(link.rights, word)), None)
        why = f" {lacking.name}: {lacking.why}" if lacking else ""
        raise NoRightsError(f"{tool.name} may not be called any more.{why}")
    claims = Claims(
        agent=work.agent.principal_id,
        agent_slug=work.agent.slug,
        organisation=work.run.organisation_id,
        audience=(connector.called,),
        scopes=frozenset(one for one in remit.rights if one.startswith(f"tool:{connector.slug}.")),
        run=work.run.id,
        on_behalf_of=remit.on_behalf_of,
        delegation=work.run.delegation_id,
        issued_at=now,
        expires_at=end_of(now, work.run.deadline),
    )
    token = mint(claims)
    if connector.token_header == TokenHeader.AUTHORIZATION:
        return RunToken(token, {"Authorization": f"Bearer {token}"})
    return RunToken(token, {"Remit-Run-Token": token})


def check_token(
    token: str, *, audience: str, now: datetime, organisation: UUID, run: UUID | None = None, once: bool = False
) -> Claims:  # fmt: skip
    """What a token says, and still may, if it counts in every respect. Raises TokenRefusedError.

    Its run must go on, whoever it names must be active, its delegation must hold; what has been taken from one of them
    since is not in the answer. With `once` it is used up. In the organisation's transaction.
    """
    claims = verify(token, audience=audience, now=now, organisation=organisation, run=run)
    claims = check_standing(claims, audience=audience, now=now, own=_own(claims))
    if claims.run is not None:
        state = Run.objects.filter(pk=claims.run, organisation_id=organisation).values_list("state", flat=True).first()
        if state is None or state in ENDED:
            raise TokenRefusedError("The run of the token has ended.")
    if once:
        spend(claims)
    return claims


def _own(claims: Claims) -> list[Link]:
    """What the agent serves now, for a token of no run; a run keeps the version that it began with."""
    if claims.run is not None:
        return []
    found = Agent.objects.filter(pk=claims.agent, organisation_id=claims.organisation).select_related("serving").first()
    serving = found.serving if found is not None else None
    rights: Rights = rights_of_version(serving) if serving is not None else frozenset()
    return [Link(name=claims.agent_slug, kind="version", rights=rights, why="The tools and agents of its version.")]
