"""Whoever is refused leaves an entry in the record, and nothing else."""

from foundation.audit.models import AuditEntry
from foundation.organisations.models import Team
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World


def test_a_refusal_is_recorded_with_its_reason(bare: World) -> None:
    assert bare.api("viewer").post("/teams", {"slug": "x", "name": "X"}).status_code == 403
    with tenant(bare.organisation.id):
        entry = AuditEntry.objects.in_organisation(bare.organisation.id).matching(action="access.refuse").get()
    assert entry.outcome == "denied"
    assert entry.actor_id == bare.people["viewer"].id
    assert entry.target_name == "POST /api/v1/teams"
    assert "team.manage" in entry.reason


def test_what_fails_half_way_leaves_nothing(bare: World) -> None:
    assert bare.api().post("/teams", {"slug": "x", "name": "X", "parent": "nowhere"}).status_code == 404
    with tenant(bare.organisation.id):
        assert not Team.objects.filter(slug="x").exists()
