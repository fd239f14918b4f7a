"""Deciding on an ask in the console: who may, what is checked, what the second one is told."""

from uuid import UUID

from foundation.audit.models import AuditEntry
from foundation.tenancy.context import tenant
from governance.approvals.models import ApprovalRequest
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures

DIGEST = {"digest": "sha256:1"}


def state(world: World) -> str:
    with tenant(world.organisation.id):
        return ApprovalRequest.objects.get(pk=world.things["approvals"]).state


def path(world: World, answer: str = "") -> str:
    return f"/approvals/{world.things['approvals']}/" + (f"{answer}/" if answer else "")


def test_an_approver_approves_the_exact_act(world: World, visit: Visit):
    answer = visit(path(world, "approve"), "approver", form=DIGEST)
    assert (answer.status_code, answer["Location"]) == (303, path(world))
    assert state(world) == "approved"
    with tenant(world.organisation.id):
        entries = AuditEntry.objects.filter(organisation_id=world.organisation.id, action="approval.approve")
        assert entries.get().actor_id == world.people["approver"].id


def test_from_the_queue_one_comes_back_to_the_queue(world: World, visit: Visit):
    answer = visit(path(world, "approve"), "approver", form=DIGEST | {"next": "queue"})
    assert answer["Location"] == "/approvals/"


def test_a_denial_needs_a_reason(world: World, visit: Visit):
    answer = visit(path(world, "deny"), "approver", form=DIGEST)
    assert answer.status_code == 422
    assert "error-summary" in answer.content.decode()
    assert state(world) == "waiting"
    assert visit(path(world, "deny"), "approver", form=DIGEST | {"reason": "No receipt"}).status_code == 303
    assert state(world) == "denied"


def test_whoever_asked_does_not_decide(world: World, visit: Visit):
    page = visit(path(world), "operator").content.decode()
    assert "You asked for this yourself" in page
    assert 'aria-disabled="true"' in page
    assert visit(path(world, "approve"), "operator", form=DIGEST).status_code == 403
    assert state(world) == "waiting"
    with tenant(world.organisation.id):
        refusals = AuditEntry.objects.filter(organisation_id=world.organisation.id, action="access.refuse")
        assert refusals.filter(actor_id=world.people["operator"].id).exists()


def test_another_role_than_asked_for_is_told_so(world: World, visit: Visit):
    assert "This asks for the role approver" in visit(path(world), "team-lead").content.decode()
    assert visit(path(world, "approve"), "team-lead", form=DIGEST).status_code == 403


def test_an_act_that_changed_is_not_approved(world: World, visit: Visit):
    answer = visit(path(world, "approve"), "approver", form={"digest": "sha256:another"})
    assert answer.status_code == 422
    assert "review it again" in answer.content.decode()
    assert state(world) == "waiting"


def test_the_second_one_is_told_who_was_first(world: World, visit: Visit):
    visit(path(world, "approve"), "approver", form=DIGEST)
    answer = visit(path(world, "deny"), "administrator", form=DIGEST | {"reason": "Late"})
    assert answer.status_code == 422
    assert "already approved by" in answer.content.decode()


def test_a_high_risk_is_only_opened_from_the_queue(world: World, visit: Visit):
    assert path(world, "approve") in visit("/approvals/", "approver").content.decode()
    ApprovalRequest.objects.using("engine").filter(pk=world.things["approvals"]).update(risk="high")
    page = visit("/approvals/", "approver").content.decode()
    assert path(world, "approve") not in page
    assert "Review" in page


def test_the_second_vote_of_two_is_shown_as_missing(world: World, visit: Visit):
    ApprovalRequest.objects.using("engine").filter(pk=world.things["approvals"]).update(quorum=2)
    visit(path(world, "approve"), "approver", form=DIGEST)
    assert state(world) == "waiting"
    assert "1 of 2" in visit(path(world), "administrator").content.decode()
    assert "You have voted already" in visit(path(world), "approver").content.decode()


def test_an_unknown_ask_is_not_found(visit: Visit):
    assert visit(f"/approvals/{UUID(int=1)}/", "approver").status_code == 404
