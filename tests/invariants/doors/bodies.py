"""What the matrix sends: for every operation that takes a body a valid one, which names things of a world."""

from datetime import UTC, datetime, timedelta
from typing import Any

from foundation.ids import uuid7
from tests.foundation.api.world import World


def bodies(world: World) -> dict[str, Any]:
    """A valid body for every operation that takes one: it names things of `world`."""
    things, desk = world.things, str(world.team.id)
    digest = "sha256:1"
    return {
        "access_who": {"permission": "run.view"},
        "access_why": {},
        "agents_create": {"team": desk, "slug": "another", "name": "Another", "sponsor": _id(world, "administrator")},
        "agents_publish": {"instructions": "Answer.", "language_model": str(things["language-models"])},
        "agents_retire": {"reason": "It is time."},
        "agents_give_back": {"reason": "Mend it."},
        "agents_serve": {"version": 1},
        "agents_sponsor": {"sponsor": _id(world, "viewer")},
        "agents_suspend": {"reason": "It is time."},
        "api_keys_create": {"name": "Key", "principal": str(things["services"])},
        "approvals_approve": {"digest": digest},
        "approvals_deny": {"reason": "No."},
        "budgets_create": {"scope": "agent", "scope_id": str(things["agents"]), "limit": 1, "currency": "EUR"},
        "connectors_create": {
            "slug": "more", "name": "More", "kind": "documents", "credential": str(things["credentials"]),
        },
        "credentials_create": {"name": "Another", "secret": "hidden"},
        "delegations_create": {
            "agent": str(things["agents"]), "scopes": ["tool:papers.search"], "audience": ["papers"],
            "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        },
        "delegations_narrow": {"scopes": ["tool:papers.search"]},
        "grants_create": {
            "principal": str(things["services"]), "role": "viewer", "target": str(world.organisation.id)
        },
        "groups_add": {"member": _id(world, "viewer")},
        "groups_change": {"name": "Renamed"},
        "groups_create": {"name": "Another"},
        "groups_remove": {"member": _id(world, "operator")},
        "introspect_token": {"token": "x", "audience": "papers"},
        "identity_providers_change": {"name": "Renamed"},
        "identity_providers_create": {
            "slug": f"id-{uuid7().hex[-12:]}", "name": "Other", "issuer": "https://other.example.org",
            "client_id": "remit", "domains": ["other.example"],
        },
        "identity_providers_map": {"group": "ops", "role": "viewer", "target": str(world.organisation.id)},
        "identity_providers_unmap": {"group": world.canary},
        "invitations_create": {
            "email": f"new-{uuid7()}@example.org", "role": "viewer", "target": str(world.organisation.id)
        },
        "language_models_create": {
            "provider": str(things["providers"]), "slug": "large", "name": "Large", "wire_name": "large",
        },
        "language_models_set_price": {"currency": "EUR", "input_per_million": 1, "output_per_million": 1},
        "organisation_leave": {"sure": True},
        "people_offboard": {"reason": "A new job."},
        "people_suspend": {"reason": "Away."},
        "policies_create": {"slug": "more", "name": "More", "source": "permit (principal, action, resource);"},
        "policies_mode": {"mode": "log_only"},
        "policies_publish": {"source": "permit (principal, action, resource);"},
        "policies_try_act": {"agent": "clerk", "target": "papers.search", "arguments": {"query": "x"}},
        "providers_change": {"name": "Renamed"},
        "providers_create": {"slug": "second", "name": "Second", "base_url": "https://two.example.org/v1"},
        "questions_answer": {"answer": {"answer": "Yes."}},
        "reviews_create": {"name": "Spring", "target": desk},
        "reviews_decide": {"item": str(things["review-items"]), "decision": "attest"},
        "roles_change": {"name": "Renamed"},
        "roles_create": {"slug": "more", "name": "More", "permissions": ["run.view"]},
        "runs_cancel": {"reason": "Enough."},
        "runs_create": {"agent": str(things["agents"]), "input": "Hello"},
        "runs_fork": {"step": 0},
        "runs_pause": {"reason": "Let me look."},
        "runs_resolve_unknown": {"step": 1, "outcome": "failed", "evidence": "The ledger says so."},
        "runs_retry": {"step": 1},
        "schedules_change": {"name": "Renamed"},
        "schedules_create": {"agent": str(things["agents"]), "name": "Hourly", "kind": "cron",
                             "expression": "0 * * * *", "input": "Hello"},
        "services_create": {"name": "Helper"},
        "sessions_close": {"reason": "Done."},
        "sessions_create": {"agent": str(things["agents"])},
        "sessions_forget": {"name": "canary"},
        "sessions_move": {"version": 1},
        "sessions_remember": {"name": "language", "value": "French"},
        "sessions_save": {"name": "note.txt", "text": "Hello"},
        "services_suspend": {"reason": "Away."},
        "teams_change": {"name": "Renamed"},
        "teams_archive": {"reason": "Done."},
        "teams_create": {"slug": "below", "name": "Below", "parent": desk},
        "teams_move": {"parent": None},
        "triggers_change": {"name": "Renamed"},
        "triggers_create": {"agent": str(things["agents"]), "name": "Shop"},
    }  # fmt: skip


def _id(world: World, role: str) -> str:
    return str(world.people[role].id)
