"""Whoever gives, or takes, what they do not hold is refused with what is missing, and it is recorded once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foundation.access.groups import add_member, create_group
from foundation.access.models import Grant
from foundation.access.services import grant
from foundation.audit.models import AuditEntry
from foundation.delegation.models import DelegationGrant
from foundation.identity.models import ApiKey, GroupMember, Principal
from foundation.identity.services import create_api_key
from foundation.invitations.models import Invitation
from foundation.organisations.models import GrantTarget
from foundation.tenancy.context import tenant
from tests.console.pages import Visit
from tests.foundation.api.world import Api, World

POLICY = "policy.manage"
STRONGER = "role administrator may do what you may not"
MADE = (Grant, ApiKey, Invitation, GroupMember, DelegationGrant)


def root(world: World) -> GrantTarget:
    return GrantTarget.objects.get(pk=world.organisation.id)


def strong_service(world: World) -> str:
    """A service that administers."""
    with tenant(world.organisation.id):
        service = Principal.objects.get(pk=world.things["services"])
        grant(actor=world.shell, principal=service, role="administrator", target=root(world))
    return str(service.id)


def auditors(world: World) -> Principal:
    """A group that reads bodies, which no administrator does."""
    with tenant(world.organisation.id):
        group = create_group(actor=world.shell, name="Auditors")
        grant(actor=world.shell, principal=group, role="auditor", target=root(world))
        add_member(actor=world.shell, group=group, member=world.people["auditor"])
    return group


def narrow(world: World, role: str, *scopes: str) -> Api:
    with tenant(world.organisation.id):
        key = create_api_key(actor=world.shell, principal=world.people[role], name="narrow", scopes=scopes)[1]
    return Api(key)


def inviter(world: World) -> Api:
    """Somebody who invites, and administers nothing else."""
    return narrow(world, "administrator", "person.manage", "person.view")


def on(world: World, role: str, who: str) -> dict[str, str]:
    return {"principal": str(world.people[who].id), "role": role, "target": str(world.organisation.id)}


def another(world: World) -> str:
    """A delegation of the operator."""
    made = world.api("operator").post("/delegations", delegation("tool:papers.search"))
    return str(made.json()["id"])


def delegation(scope: str) -> dict[str, Any]:
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return {"agent": "clerk", "scopes": [scope], "audience": ["papers"], "expires_at": end}


def denials(world: World) -> list[str]:
    with tenant(world.organisation.id):
        found = AuditEntry.objects.filter(action="access.refuse", outcome="denied").order_by("id")
        return [entry.reason for entry in found]


def made(world: World) -> list[int]:
    with tenant(world.organisation.id):
        return [kind.objects.count() for kind in MADE]  # type: ignore[attr-defined]  # of a tuple of models


Ask = Callable[[World], tuple[Api, str, str, Any]]
CASES: dict[str, tuple[Ask, str | None]] = {
    "a role stronger than oneself": (
        lambda w: (w.api("team-lead"), "POST", "/grants", on(w, "administrator", "team-lead")), "policy.manage"),
    "bodies, to oneself": (
        lambda w: (w.api(), "POST", "/grants", on(w, "auditor", "administrator")), "audit.read_bodies"),
    "taking a stronger role away": (
        lambda w: (w.api("team-lead"), "DELETE", f"/grants/{grant_of(w, 'administrator')}", None), "policy.manage"),
    "a key of a stronger service": (
        lambda w: (w.api("builder"), "POST", "/api-keys", {"name": "x", "principal": strong_service(w)}),
        "policy.manage"),
    "a key of another person": (
        lambda w: (w.api(), "POST", "/api-keys", {"name": "x", "principal": str(w.people["viewer"].id)}), None),
    "a key wider than the key that makes it": (
        lambda w: (narrow(w, "administrator", "key.manage"), "POST", "/api-keys",
                   {"name": "x", "scopes": ["key.manage", "team.view"]}), "team.view"),
    "a key without scopes, by a narrowed key": (
        lambda w: (narrow(w, "administrator", "key.manage"), "POST", "/api-keys", {"name": "x"}), None),
    "a role of what one lacks": (
        lambda w: (w.api("team-lead"), "POST", "/roles", {"slug": "x-y", "name": "x", "permissions": [POLICY]}),
        "policy.manage"),
    "what one lacks, into a role": (
        lambda w: (w.api("team-lead"), "PATCH", f"/roles/{w.things['roles']}", {"permissions": ["policy.manage"]}),
        "policy.manage"),
    "an invitation to a stronger role": (
        lambda w: (inviter(w), "POST", "/invitations",
                   {"email": "new@example.org", "role": "builder", "target": str(w.organisation.id)}), "run.start"),
    "a seat in a stronger group": (
        lambda w: (w.api(), "POST", f"/groups/{auditors(w).id}/add", {"member": str(w.people["administrator"].id)}),
        "audit.read_bodies"),
    "a delegation of what one has not": (
        lambda w: (w.api("builder"), "POST", "/delegations", delegation("approval.decide")), "approval.decide"),
    "the delegation of somebody else": (
        lambda w: (w.api("builder"), "POST", f"/delegations/{another(w)}/revoke", {}), "grant.manage"),
}  # fmt: skip


def grant_of(world: World, role: str) -> str:
    with tenant(world.organisation.id):
        return str(Grant.objects.get(principal=world.people[role], role=role).id)


@pytest.mark.parametrize("case", CASES)
def test_over_rest_it_is_403_with_what_is_missing(world: World, case: str) -> None:
    ask, missing = CASES[case]
    api, method, path, body = ask(world)
    before, there = denials(world), made(world)
    answer = api.call(method, path, body)
    assert answer.status_code == 403, answer.content
    said = answer.json()
    assert said["type"] == "urn:remit:problem:refused"
    if missing is None:
        assert "permission" not in said
    else:
        assert missing in said["permissions"]
        assert said["permission"] == said["permissions"][0]
    assert denials(world) == [*before, said["detail"]], "it is recorded once"
    assert made(world) == there, "nothing of it stands"


def test_a_form_says_it_keeps_what_was_typed_and_records_it(world: World, visit: Visit) -> None:
    before = denials(world)
    form = on(world, "administrator", "team-lead") | {"reason": "because I can"}
    answer = visit("/settings/roles/", "team-lead", form=form)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert STRONGER in page
    assert "because I can" in page
    recorded = denials(world)
    assert len(recorded) == len(before) + 1
    assert STRONGER in recorded[-1]


def test_a_button_says_it_and_records_it(world: World, visit: Visit) -> None:
    before, place = denials(world), f"/settings/roles/{grant_of(world, 'administrator')}/withdraw/"
    answer = visit(place, "team-lead", form={})
    assert answer.status_code == 303
    recorded = denials(world)
    assert len(recorded) == len(before) + 1
    assert STRONGER in recorded[-1]


def test_pages_with_a_way_of_their_own_record_it(world: World, visit: Visit) -> None:
    """Keys are shown in the answer to their form; and rotation is a button that shows one."""
    service, group = strong_service(world), auditors(world)
    before = denials(world)
    answer = visit("/settings/tokens/", "builder", form={"name": "x", "principal": service})
    assert answer.status_code == 422
    assert "may do what you may not" in answer.content.decode()
    with tenant(world.organisation.id):
        key, _ = create_api_key(actor=world.shell, principal=Principal.objects.get(pk=service), name="of the service")
    rotated = visit(f"/settings/tokens/{key.id}/rotate/", "builder", form={})
    assert rotated.status_code == 403
    assert "may do what you may not" in rotated.content.decode()
    seat = visit(f"/settings/groups/{group.id}/", form={"member": str(world.people["administrator"].id)})
    assert seat.status_code == 422
    assert "Auditors may do what you may not" in seat.content.decode()
    assert len(denials(world)) == len(before) + 3
