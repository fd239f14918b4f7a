"""What waits for one person is found, however much waits for others and is more pressing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from agents.runs.models import InputRequest, Run
from foundation.access.services import grant
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget
from foundation.organisations.services import create_team
from foundation.tenancy.context import tenant
from governance.approvals.models import ApprovalRequest
from governance.approvals.queue import MOST
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures


def test_an_ask_for_me_is_listed_behind_two_hundred_that_are_not(world: World, visit: Visit):
    soon = datetime.now(UTC) + timedelta(minutes=5)
    with tenant(world.organisation.id):
        mine = ApprovalRequest.objects.get(pk=world.things["approvals"])
    rest: dict[str, Any] = {
        name: getattr(mine, name) for name in ("organisation_id", "run_id", "target_id", "tool", "arguments", "digest",
                                               "generation", "label", "question", "approvers")
    }  # fmt: skip
    approver = world.people["approver"].id
    ApprovalRequest.objects.using("engine").bulk_create(
        ApprovalRequest(**rest, requester_id=approver, step=1, decision_id=uuid7(), expires_at=soon)
        for _ in range(MOST)
    )
    assert f"/approvals/{mine.id}/" in visit("/approvals/?state=mine", "approver").content.decode()


def test_a_question_for_me_is_listed_behind_two_hundred_that_are_not(world: World, visit: Visit):
    with tenant(world.organisation.id):
        person, root = world.people["stranger"], GrantTarget.objects.get(pk=world.organisation.id)
        grant(actor=world.shell, principal=person, role="viewer", target=root)
        grant(actor=world.shell, principal=person, role="operator", target=world.team.target)
        others = create_team(actor=world.shell, organisation=world.organisation, slug="others", name="Others")
        there = Run.objects.get(pk=world.things["runs"])
    there.pk = there.root_id = uuid7()
    there.target_id = others.target_id
    there.save(using="engine", force_insert=True)
    InputRequest.objects.using("engine").bulk_create(
        InputRequest(organisation_id=world.organisation.id, run=there, step=1, question="?", schema={},
                     expires_at=datetime.now(UTC) + timedelta(minutes=5)) for _ in range(MOST)
    )  # fmt: skip
    assert f"/questions/{world.things['questions']}/" in visit("/approvals/?state=mine", "stranger").content.decode()
