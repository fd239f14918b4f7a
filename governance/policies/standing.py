"""The policies in force for an organisation, compiled once for each generation and each set of tools."""

import threading
from collections import OrderedDict
from typing import Any
from uuid import UUID

from django.db import connections

from agents.catalogue.models import LanguageModel
from agents.registry.models import Agent
from agents.runs.builtins.port import builtins
from agents.runs.journal import ENGINE, release_connection
from agents.tools.models import Tool
from foundation.organisations.models import Team
from governance.policies.compiled import CompiledSet, Mode, PolicyText, compile_policies
from governance.policies.models import EnforcementMode, Policy
from governance.policies.schema import PolicySchema, PolicyTool, build_schema

_KEPT = 256

_GENERATION = "SELECT number FROM policies_policygeneration WHERE organisation_id = %s"
_NOW = """
SELECT g.number, coalesce(
    (SELECT c.number FROM organisations_configuration c WHERE c.organisation_id = g.organisation_id), 0),
    clock_timestamp()
FROM policies_policygeneration g WHERE g.organisation_id = %s
"""


_kept: OrderedDict[tuple[UUID, int, int], CompiledSet] = OrderedDict()
_generations: dict[UUID, int] = {}
_lock = threading.Lock()


class NoPoliciesError(LookupError):
    """The organisation has no policies: nothing is permitted."""


def generation_of(organisation: UUID) -> int:
    """The newest generation of an organisation's policies that this process has heard of; the gate tells a newer one.

    Zero: there are none.
    """
    with _lock:
        found = _generations.get(organisation)
    if found is None:
        with connections[ENGINE].cursor() as cursor:
            cursor.execute(_GENERATION, [organisation])
            row = cursor.fetchone()
        release_connection()
        found = row[0] if row else 0
        heard_of_generation(organisation, found)
    return found


def heard_of_generation(organisation: UUID, number: int) -> None:
    """The database has said which generation is in force."""
    with _lock:
        if number:
            _generations[organisation] = max(number, _generations.get(organisation, 0))
        else:
            _generations.pop(organisation, None)


def standing(organisation: UUID, generation: int, configuration: int, using: str = ENGINE) -> CompiledSet:
    """The policies in force, compiled. Raises NoPoliciesError, or SourceError for a broken source."""
    if not generation:
        raise NoPoliciesError("This organisation has no policies: nothing is permitted. Create one.")
    key = (organisation, generation, configuration)
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
            return found
    try:
        found = compile_policies(policy_texts(organisation, using), schema_of(organisation, using))
    finally:
        release_connection()
    with _lock:
        _kept[key] = found
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return found


def standing_now(cursor: Any, organisation: UUID, using: str) -> tuple[CompiledSet, Any]:
    """The policies in force, compiled, and the database's time, both asked for. Raises as `standing`."""
    cursor.execute(_NOW, [organisation])
    row = cursor.fetchone()
    generation, configuration, now = row or (0, 0, None)
    return standing(organisation, generation, configuration, using), now


def schema_of(organisation: UUID, using: str) -> PolicySchema:
    """What this organisation's policies may speak of."""
    tools = Tool.objects.using(using).filter(organisation_id=organisation).order_by("name")
    models = LanguageModel.objects.using(using).filter(organisation_id=organisation).values_list("slug", flat=True)
    agents = Agent.objects.using(using).filter(organisation_id=organisation).values_list("slug", flat=True)
    teams = Team.objects.using(using).filter(organisation_id=organisation).values_list("slug", flat=True)
    offered = [PolicyTool(tool.name, tool.schema) for tool in tools]
    offered += [PolicyTool(own.name, dict(own.schema)) for own in builtins()]
    return build_schema(offered, list(models), list(agents), list(teams))


def policy_texts(organisation: UUID, using: str) -> list[PolicyText]:
    """The live versions of all policies that are not off."""
    rows = (
        Policy.objects.using(using)
        .filter(organisation_id=organisation, live__isnull=False)
        .exclude(mode=EnforcementMode.OFF)
        .select_related("live")
        .order_by("slug")
    )
    return [PolicyText(row.slug, row.live.number, row.live.source, Mode(row.mode)) for row in rows if row.live]
