"""Whoever is refused leaves an entry in the record, and nothing else."""

from foundation.audit.models import AuditEntry
from foundation.identity.models import ApiKey
from foundation.organisations.models import Team
from foundation.tenancy.context import tenant
from tests.foundation.api.world import Api, World


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


def test_whatever_a_key_does_or_is_refused_names_the_key(bare: World) -> None:
    """Of two keys of one person, an auditor can tell which one it was; who made it stands in the record, too."""
    made = bare.api().post("/api-keys", {"name": "second"}).json()
    second = Api(made["key"])
    assert second.post("/teams", {"slug": "x", "name": "X"}).status_code == 201
    assert second.post("/teams", {"slug": "y", "name": "Y", "parent": "nowhere"}).status_code == 404
    with tenant(bare.organisation.id):
        rows = AuditEntry.objects.in_organisation(bare.organisation.id).filter(details__api_key=made["id"])
        assert [one.action for one in rows.order_by("id")] == ["team.create", "access.refuse"]
        (origin,) = AuditEntry.objects.about(made["id"]).filter(action="key.create")
        first = ApiKey.objects.exclude(pk=made["id"]).get(principal=bare.people["administrator"], name=bare.canary)
        assert origin.details["api_key"] == str(first.id) == origin.details["made_by"]
