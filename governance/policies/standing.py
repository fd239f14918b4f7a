"""The policies in force for an organisation, compiled once for each generation and each set of tools."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents.catalogue.models import LanguageModel
from agents.registry.models import Agent
from agents.runs.builtins.port import builtins
from agents.tools.models import Tool
from foundation.organisations.models import Team
from governance.policies.compiled import CompiledSet, Mode, PolicyText, compile_policies
from governance.policies.models import EnforcementMode, Policy
from governance.policies.schema import PolicySchema, PolicyTool, build_schema

_KEPT = 256

_STAMP = """
SELECT g.number,
    (SELECT md5(string_agg(t.id::text || t.definition_hash, ',' ORDER BY t.id)) FROM tools_tool t
     WHERE t.organisation_id = g.organisation_id),
    (SELECT md5(string_agg(m.slug, ',' ORDER BY m.id)) FROM catalogue_languagemodel m
     WHERE m.organisation_id = g.organisation_id),
    (SELECT md5(string_agg(a.slug, ',' ORDER BY a.id)) FROM registry_agent a
     WHERE a.organisation_id = g.organisation_id),
    (SELECT md5(string_agg(t.slug, ',' ORDER BY t.id)) FROM organisations_team t
     WHERE t.organisation_id = g.organisation_id),
    clock_timestamp()
FROM policies_policygeneration g WHERE g.organisation_id = %s
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Policies in force: their generation, and the compiled set."""

    generation: int
    compiled: CompiledSet


_kept: OrderedDict[tuple[Any, ...], Standing] = OrderedDict()
_lock = threading.Lock()


class NoPoliciesError(LookupError):
    """The organisation has no policies: nothing is permitted."""


def standing(cursor: Any, organisation: UUID, using: str) -> tuple[Standing, Any]:
    """The policies in force, and the database's time. Raises NoPoliciesError, or SourceError for a broken source."""
    cursor.execute(_STAMP, [organisation])
    row = cursor.fetchone()
    if row is None:
        raise NoPoliciesError("This organisation has no policies: nothing is permitted. Create one.")
    key = (organisation, *row[:5])
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
    if found is None:
        compiled = compile_policies(policy_texts(organisation, using), schema_of(organisation, using))
        found = Standing(row[0], compiled)
        with _lock:
            _kept[key] = found
            while len(_kept) > _KEPT:
                _kept.popitem(last=False)
    return found, row[5]


def schema_of(organisation: UUID, using: str) -> PolicySchema:
    """What this organisation's policies may speak of."""
    tools = Tool.objects.using(using).filter(organisation_id=organisation).order_by("name")
    models = LanguageModel.objects.using(using).filter(organisation_id=organisation).values_list("slug", flat=True)
    agents = Agent.objects.using(using).filter(organisation_id=organisation).values_list("slug", flat=True)
    teams = Team.objects.using(using).filter(organisation_id=organisation).values_list("slug", flat=True)
    offered = [PolicyTool(tool.name, tool.schema) for tool in (*tools, *builtins())]
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
