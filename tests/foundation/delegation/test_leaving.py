"""Whoever leaves lends nothing any more: every way out revokes what it let agents do in its name, and says so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.schedules.offboarding import offboard_person
from foundation.audit.models import AuditEntry
from foundation.delegation.leaving import leave_for_good
from foundation.delegation.models import DelegationGrant
from foundation.identity.models import Principal
from foundation.provisioning.services import remove_provisioned_person
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, furnish, make_organisation

Way = Callable[[World, Principal], object]


@pytest.fixture
def world(database: Any) -> World:
    """The operator has lent something to the clerk."""
    return furnish(make_organisation("lenders"))


def offboard(world: World, person: Principal) -> object:
    actor = world.actor("administrator")
    return offboard_person(actor=actor, person=person, successor=None, reason="A new job.")


def go(world: World, person: Principal) -> object:
    return leave_for_good(actor=world.actor("operator"), principal=person)


def be_deleted(world: World, person: Principal) -> object:
    Principal.objects.filter(pk=person.pk).update(directory=True)
    return remove_provisioned_person(actor=world.shell, principal=person)


def lend(world: World, who: str, **more: object) -> str:
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"agent": "clerk", "scopes": ["tool:papers.search"], "audience": ["papers"], "expires_at": end} | more
    answer = world.api(who).post("/delegations", body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


@pytest.mark.parametrize("way", [offboard, go, be_deleted])
def test_what_was_lent_ends(world: World, way: Way):
    kept = lend(world, "builder")
    revoked = lend(world, "operator")
    world.api("operator").post(f"/delegations/{revoked}/revoke")
    with tenant(world.organisation.id):
        before = AuditEntry.objects.filter(action="delegation.revoke").count()
        way(world, world.people["operator"])
        lent = DelegationGrant.objects.get(pk=world.things["delegations"])
        assert lent.revoked_at is not None
        assert DelegationGrant.objects.get(pk=kept).revoked_at is None
        told = list(AuditEntry.objects.filter(action="delegation.revoke").order_by("id"))[before:]
        assert [one.details["delegation"] for one in told] == [str(lent.pk)]
        assert told[0].reason.endswith("has left.")


def test_it_is_shown_before(world: World):
    held = world.api().get(f"/people/{world.people['operator'].id}/belongings").json()
    assert held["delegations"] == [{"id": str(world.things["delegations"]), "agent": world.canary}]
