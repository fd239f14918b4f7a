"""Approvals over REST: one exact act, decided by a person who was not the one who asked."""

from datetime import UTC, datetime, timedelta

from foundation.access.services import grant
from foundation.identity.models import Principal
from foundation.identity.services import create_api_key
from foundation.organisations.models import GrantTarget
from foundation.tenancy.context import tenant
from governance.approvals.models import ApprovalRequest
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import Api, World

__all__ = ["world"]
DIGEST = {"digest": "sha256:1"}


def _path(world: World, verb: str = "") -> str:
    return f"/approvals/{world.things['approvals']}" + (f"/{verb}" if verb else "")


def test_an_approver_approves(world: World) -> None:
    api = world.api("approver")
    shown = api.get(_path(world)).json()
    assert (shown["state"], shown["digest"], shown["votes"]) == ("waiting", "sha256:1", [])
    answer = api.post(_path(world, "approve"), DIGEST)
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "approved"
    assert answer.json()["votes"][0]["principal"] == str(world.people["approver"].id)


def test_a_second_one_hears_who_decided(world: World) -> None:
    world.api("approver").post(_path(world, "approve"), DIGEST)
    answer = world.api("administrator").post(_path(world, "deny"), {"reason": "No."})
    assert answer.status_code == 409
    assert "already approved" in answer.json()["detail"]


def test_the_call_that_was_seen_is_the_call_that_is_approved(world: World) -> None:
    answer = world.api("approver").post(_path(world, "approve"), {"digest": "sha256:2"})
    assert answer.status_code == 409
    assert world.api("approver").get(_path(world)).json()["state"] == "waiting"


def test_whoever_asked_does_not_decide(world: World) -> None:
    answer = world.api("operator").post(_path(world, "approve"), DIGEST)
    assert answer.status_code == 403
    assert "somebody else" in answer.json()["detail"]


def test_a_service_does_not_decide(world: World) -> None:
    with tenant(world.organisation.id):
        service = Principal.objects.get(pk=world.things["services"])
        root = GrantTarget.objects.get(pk=world.organisation.id)
        grant(actor=world.shell, principal=service, role="approver", target=root)
        _, key = create_api_key(actor=world.shell, principal=service, name="robot")
    assert Api(key).post(_path(world, "approve"), DIGEST).status_code == 403


def test_a_no_needs_a_reason(world: World) -> None:
    assert world.api("approver").post(_path(world, "deny"), {}).status_code == 400
    answer = world.api("approver").post(_path(world, "deny"), {"reason": "Too much."})
    assert answer.json()["state"] == "denied"


def test_after_its_time_nobody_decides(world: World) -> None:
    with tenant(world.organisation.id):
        ApprovalRequest.objects.filter(pk=world.things["approvals"]).update(
            expires_at=datetime.now(UTC) - timedelta(seconds=1)
        )
    assert world.api("approver").post(_path(world, "approve"), DIGEST).status_code == 409


def test_the_queue_is_what_waits(world: World) -> None:
    assert len(world.api("viewer").get("/approvals?state=waiting").json()["items"]) == 1
    assert world.api("viewer").get("/approvals?state=denied").json()["items"] == []
