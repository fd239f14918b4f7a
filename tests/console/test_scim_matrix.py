"""Every route of the SCIM protocol, asked as everybody: only who manages people of an organisation passes its door."""

import json
from typing import Any

import pytest
from django.test import Client
from scim2_server.routing import ROUTES

from foundation.access.roles import ROLES, Permission
from foundation.audit.models import AuditEntry
from foundation.identity.services import create_api_key, revoke_api_key, suspend_principal
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, make_organisation

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PERSON = {"schemas": [USER], "userName": "x"}
PATCH = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
         "Operations": [{"op": "replace", "path": "displayName", "value": "x"}]}  # fmt: skip
CALLS = [(route.method, route.pattern.replace("{endpoint}", endpoint))
         for route in ROUTES for endpoint in ("Users", "Groups")]  # fmt: skip
ASKED = sorted(set(CALLS))


@pytest.fixture(scope="module")
def worlds(django_db_blocker: Any) -> tuple[World, World]:
    """Two organisations that must never meet."""
    with django_db_blocker.unblock():
        return make_organisation("ours"), make_organisation("theirs")


def ask(key: str | None, method: str, path: str, body: Any = None) -> Any:
    """One request, as whoever holds the key."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = json.dumps(body if body is not None else PATCH if method == "PATCH" else PERSON)
    sent = {} if method == "GET" else {"data": data, "content_type": "application/scim+json"}
    return Client().generic(method, f"/scim/v2{path}", headers=headers, **sent)


def path_of(pattern: str, world: World, role: str = "viewer") -> str:
    """With the id of a person of that world."""
    return pattern.replace("{resource_id}", str(world.people[role].id))


@pytest.mark.parametrize("who", ["nobody", "expired", "garbage", "suspended", "revoked"])
def test_without_a_key_in_force_everything_is_closed(worlds: tuple[World, World], database: Any, who: str) -> None:
    ours, _ = worlds
    key = {"nobody": "", "expired": ours.expired, "garbage": "rk_" + "x" * 40}.get(who) or _dead_key(ours, who)
    for method, pattern in ASKED:
        answer = ask(key, method, path_of(pattern, ours))
        assert answer.status_code == 401, (method, pattern)
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert ours.canary not in answer.content.decode()


def _dead_key(world: World, who: str) -> str:
    if who == "nobody":
        return ""
    with tenant(world.organisation.id):
        if who == "revoked":
            key, secret = create_api_key(actor=world.shell, principal=world.people["administrator"], name="gone")
            revoke_api_key(actor=world.shell, api_key=key)
            return secret
        suspend_principal(actor=world.shell, principal=world.people["stranger"], reason="Test")
    return world.keys["stranger"]


def test_a_browser_session_is_no_key(worlds: tuple[World, World], database: Any) -> None:
    ours, _ = worlds
    with tenant(ours.organisation.id):
        user = ours.people["administrator"].memberships.select_related("user").get().user
    client = Client()
    client.force_login(user, backend="foundation.identity.authentication.EmailBackend")
    assert client.get("/scim/v2/Users").status_code == 401


@pytest.mark.parametrize("role", [role for role in ROLES if Permission.PERSON_MANAGE not in ROLES[role]])
def test_whoever_does_not_manage_people_is_refused_and_recorded(
    worlds: tuple[World, World], database: Any, role: str
) -> None:
    ours, _ = worlds
    for method, pattern in ASKED:
        answer = ask(ours.keys[role], method, path_of(pattern, ours))
        assert answer.status_code == 403, (method, pattern, answer.content)
        assert "person.manage" in answer.json()["detail"]
        assert ours.canary not in answer.content.decode()
    with tenant(ours.organisation.id):
        told = AuditEntry.objects.filter(action="access.refuse", outcome="denied", actor_id=ours.people[role].id)
        assert told.count() == len(ASKED)


def test_a_narrowed_key_without_the_permission_is_refused(worlds: tuple[World, World], database: Any) -> None:
    ours, _ = worlds
    with tenant(ours.organisation.id):
        _, key = create_api_key(
            actor=ours.shell, principal=ours.people["administrator"], name="narrow", scopes=("run.view",)
        )
    assert {ask(key, method, path_of(pattern, ours)).status_code for method, pattern in ASKED} == {403}


def test_another_organisation_does_not_exist(worlds: tuple[World, World], database: Any) -> None:
    ours, theirs = worlds
    for method, pattern in ASKED:
        answer = ask(theirs.keys["administrator"], method, path_of(pattern, ours))
        assert ours.canary not in answer.content.decode(), (method, pattern)
        if "{resource_id}" in pattern:
            assert answer.status_code == 404, (method, pattern, answer.content)
        else:
            assert answer.status_code in {200, 201, 400, 409, 501}, (method, pattern, answer.content)


def test_members_of_another_organisation_cannot_be_seated(worlds: tuple[World, World], database: Any) -> None:
    ours, theirs = worlds
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Spies",
            "members": [{"value": str(ours.people["viewer"].id)}]}  # fmt: skip
    answer = ask(theirs.keys["administrator"], "POST", "/Groups", body)
    assert answer.status_code == 400
    assert "There is no person" in answer.json()["detail"]
