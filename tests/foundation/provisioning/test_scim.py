"""A directory keeps people and groups over SCIM: what it says is what holds."""

import json
from typing import Any

import pytest
from django.test import Client

from foundation.access.models import Grant
from foundation.access.people import leave, stop_person
from foundation.access.services import grant, withdraw
from foundation.audit.models import AuditEntry
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import ApiKey, GroupMember, Membership, Principal, PrincipalKind, PrincipalState
from foundation.identity.services import create_api_key, create_service, restore_principal
from foundation.organisations.models import GrantTarget
from foundation.provisioning.models import ProvisionedResource
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, make_organisation

USER, GROUP = (f"urn:ietf:params:scim:schemas:core:2.0:{word}" for word in ("User", "Group"))
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Directory:
    """Calls as the service of an organisation's directory."""

    def __init__(self, world: World, role: str = "administrator") -> None:
        self.world = world
        with tenant(world.organisation.id):
            service = create_service(actor=world.shell, organisation=world.organisation, name="Directory")
            root = GrantTarget.objects.get(pk=world.organisation.id)
            self.given = grant(actor=world.shell, principal=service, role=role, target=root)
            self.service = service
            self.key = create_api_key(actor=world.shell, principal=service, name="k", scopes=("person.manage",))[1]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The response."""
        sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/scim+json"}
        given = {"Authorization": f"Bearer {self.key}"} | headers
        return Client().generic(method, f"/scim/v2{path}", headers=given, **sent)

    def person(self, name: str = "ada", **more: Any) -> Any:
        """A new person's resource."""
        body = {"schemas": [USER], "userName": f"{name}@{self.world.organisation.slug}.example", "active": True,
                "externalId": name, "name": {"givenName": name.title(), "familyName": "Lovelace"}} | more  # fmt: skip
        answer = self.call("POST", "/Users", body)
        assert answer.status_code == 201, answer.content
        return answer.json()

    def group(self, name: str, *members: str) -> Any:
        """A new group's resource."""
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": one} for one in members]}
        return self.call("POST", "/Groups", body)

    def patch(self, path: str, *operations: Any, **headers: str) -> Any:
        """A PATCH."""
        return self.call("PATCH", path, {"schemas": [PATCH], "Operations": [*operations]}, **headers)

    def principal(self, identifier: str) -> Principal:
        """The row, as it is now."""
        with tenant(self.world.organisation.id):
            return Principal.objects.get(pk=identifier)

    def told(self, action: str) -> int:
        """How often the record says it."""
        with tenant(self.world.organisation.id):
            return AuditEntry.objects.filter(action=action, outcome="ok", actor_id=self.service.id).count()


@pytest.fixture
def directory(database: Any) -> Directory:
    """Of a new organisation."""
    return Directory(make_organisation("acme"))


def test_a_person_comes_can_sign_in_and_is_recorded(directory: Directory) -> None:
    made = directory.person("ada", password="t1meE", photos=[{"value": "https://x.example/p.png"}])
    principal = directory.principal(made["id"])
    assert (principal.kind, principal.name, principal.directory) == (PrincipalKind.PERSON, "Ada Lovelace", True)
    with tenant(directory.world.organisation.id):
        assert Membership.objects.get(principal=principal).user.email == made["userName"]
        kept = ProvisionedResource.objects.get(principal=principal)
    assert kept.external_id == "ada"
    assert "t1meE" not in json.dumps(kept.attributes)
    assert "photos" not in kept.attributes
    assert directory.told("person.add") == 1
    shown = directory.call("GET", f"/Users/{made['id']}").json()
    assert shown["meta"]["location"].endswith(f"/scim/v2/Users/{made['id']}")
    assert shown["active"] is True


def test_deactivation_stops_keys_at_once_and_activation_restores(directory: Directory) -> None:
    made = directory.person()
    with tenant(directory.world.organisation.id):
        key = create_api_key(actor=directory.world.shell, principal=directory.principal(made["id"]), name="own")[1]
    assert _status(key) != 401
    for value in (False, "False"):  # Microsoft Entra ID writes text
        answer = directory.patch(f"/Users/{made['id']}", {"op": "Replace", "path": "active", "value": value})
        assert answer.status_code == 204, answer.content
        assert directory.principal(made["id"]).state == PrincipalState.SUSPENDED
        assert _status(key) == 401
    assert directory.patch(f"/Users/{made['id']}", {"op": "replace", "value": {"active": True}}).status_code == 204
    assert directory.principal(made["id"]).state == PrincipalState.ACTIVE
    assert _status(key) != 401
    assert directory.told("person.suspend") == directory.told("person.restore") == 1


def _status(key: str) -> int:
    return Client().get("/api/v1/organisation", headers={"Authorization": f"Bearer {key}"}).status_code


def test_filters_pages_and_sorting(directory: Directory) -> None:
    for name in ("ada", "grace", "mary"):
        directory.person(name)
    slug = directory.world.organisation.slug

    def found(query: str) -> list[str]:
        answer = directory.call("GET", f"/Users?{query}")
        assert answer.status_code == 200, answer.content
        return [one.get("externalId", "") for one in answer.json()["Resources"]]

    assert found(f'filter=userName eq "GRACE@{slug}.example"') == ["grace"]
    assert found('filter=externalId eq "mary" and active eq true') == ["mary"]
    assert found('filter=name.givenName sw "M"') == ["mary"]
    assert found('filter=externalId eq "nobody"') == []
    everybody = directory.call("GET", "/Users").json()
    assert everybody["totalResults"] == len(everybody["Resources"]) == len(directory.world.people) + 3
    page = directory.call("GET", "/Users?startIndex=2&count=3").json()
    assert [one["id"] for one in page["Resources"]] == [one["id"] for one in everybody["Resources"]][1:4]
    assert directory.call("GET", "/Users?count=0").json()["Resources"] == []
    down = found("filter=externalId pr&sortBy=externalId&sortOrder=descending")
    assert down == ["mary", "grace", "ada"]
    assert directory.call("GET", '/Users?filter=userName xx "a"').status_code == 400


def test_a_person_added_by_hand_is_found_and_taken_over(directory: Directory) -> None:
    world = directory.world
    viewer = world.people["viewer"]
    with tenant(world.organisation.id):
        address = Membership.objects.get(principal=viewer).user.email
    found = directory.call("GET", f'/Users?filter=userName eq "{address}"').json()["Resources"]
    assert [one["id"] for one in found] == [str(viewer.id)]
    again = directory.call("POST", "/Users", {"schemas": [USER], "userName": "other", "emails": [{"value": address}]})
    assert again.status_code == 409
    assert again.json()["scimType"] == "uniqueness"
    assert directory.patch(f"/Users/{viewer.id}", {"op": "add", "value": {"externalId": "v"}}).status_code == 204
    assert directory.principal(str(viewer.id)).directory


def test_what_a_directory_keeps_is_not_edited_by_hand(directory: Directory) -> None:
    made = directory.principal(directory.person()["id"])
    world = directory.world
    with tenant(world.organisation.id):
        stopped = stop_person(actor=world.shell, principal=made, reason="An incident.")  # stopping is always allowed
        with pytest.raises(ConflictError, match="A directory keeps Ada Lovelace"):
            restore_principal(actor=world.shell, principal=stopped)
        with pytest.raises(ConflictError, match="A directory keeps Ada Lovelace"):
            leave(actor=world.shell, principal=stopped)
    assert directory.call("GET", f"/Users/{made.id}").json()["active"] is False


def test_removal_is_leaving_for_good_and_the_person_may_come_again(directory: Directory) -> None:
    made, world = directory.person(), directory.world
    person = directory.principal(made["id"])
    group = directory.group("Crew", made["id"]).json()
    with tenant(world.organisation.id):
        root = GrantTarget.objects.get(pk=world.organisation.id)
        grant(actor=world.shell, principal=person, role="viewer", target=root)
        create_api_key(actor=world.shell, principal=person, name="own")
    assert directory.call("DELETE", f"/Users/{made['id']}").status_code == 204
    assert directory.call("GET", f"/Users/{made['id']}").status_code == 404
    with tenant(world.organisation.id):
        assert Principal.objects.get(pk=person.pk).state == PrincipalState.LEFT
        assert not Grant.objects.filter(principal=person).exists()
        assert not ApiKey.objects.filter(principal=person, revoked_at=None).exists()
        assert not Membership.objects.filter(principal=person).exists()
    assert "members" not in directory.call("GET", f"/Groups/{group['id']}").json()
    assert directory.told("person.leave") == directory.told("grant.withdraw") == 1
    assert directory.person()["id"] != made["id"]


def test_the_last_administrator_stays(directory: Directory) -> None:
    boss = directory.world.people["administrator"]
    for answer in (
        directory.patch(f"/Users/{boss.id}", {"op": "replace", "path": "active", "value": False}),
        directory.call("DELETE", f"/Users/{boss.id}"),
    ):
        assert answer.status_code == 400
        assert "last administrator" in answer.json()["detail"]
    assert directory.principal(str(boss.id)).state == PrincipalState.ACTIVE
    with tenant(directory.world.organisation.id), pytest.raises(InvalidError, match="last administrator"):
        stop_person(actor=directory.world.shell, principal=boss, reason="Test")


def test_groups_seat_people_and_only_what_the_directory_seated_goes(directory: Directory) -> None:
    ada, grace = directory.person("ada")["id"], directory.person("grace")["id"]
    made = directory.group("Crew", ada).json()
    path = f"/Groups/{made['id']}"
    seen = directory.call("GET", f"/Users/{ada}").json()["groups"]
    assert [one["display"] for one in seen] == ["Crew"]
    local = directory.world.people["viewer"]
    with tenant(directory.world.organisation.id):
        GroupMember.objects.create(organisation_id=directory.world.organisation.id, group_id=made["id"], member=local)
    add = {"op": "Add", "path": "members", "value": [{"value": grace}]}
    assert directory.patch(path, add).status_code == 204
    remove = {"op": "Remove", "path": "members", "value": [{"value": ada}]}  # Microsoft Entra ID's way
    assert directory.patch(path, remove).status_code == 204
    by_filter = {"op": "remove", "path": f'members[value eq "{grace}"]'}
    assert [one["value"] for one in directory.call("GET", path).json()["members"]] == [grace]
    assert directory.patch(path, by_filter).status_code == 204
    with tenant(directory.world.organisation.id):
        assert list(GroupMember.objects.filter(group_id=made["id"]).values_list("member_id", flat=True)) == [local.id]
    assert directory.told("group.add_member") == 2
    assert directory.told("group.remove_member") == 2
    assert directory.call("DELETE", path).status_code == 204
    assert directory.call("GET", path).status_code == 404


def test_nobody_is_seated_where_more_may_be_done_than_the_directory_may(directory: Directory) -> None:
    weak, world = Directory(directory.world), directory.world
    ada = directory.person()["id"]
    group = directory.group("Bosses").json()
    with tenant(world.organisation.id):
        root = GrantTarget.objects.get(pk=world.organisation.id)
        principal = Principal.objects.get(pk=group["id"])
        Grant.objects.create(organisation=world.organisation, principal=principal, role="administrator", target=root)
        withdraw(actor=world.shell, grant=weak.given)
        grant(actor=world.shell, principal=weak.service, role="administrator", target=world.team.target)
    # The service of the weak directory administers one team only, so the door itself is closed to it.
    assert (
        weak.patch(f"/Groups/{group['id']}", {"op": "add", "path": "members", "value": [{"value": ada}]}).status_code
        == 403
    )
    strong = directory.patch(f"/Groups/{group['id']}", {"op": "add", "path": "members", "value": [{"value": ada}]})
    assert strong.status_code == 204


def test_nobody_becomes_somebody_stronger_by_an_address(directory: Directory) -> None:
    world, made = directory.world, directory.person("eve", userName="eve")
    with tenant(world.organisation.id):
        eve, root = Principal.objects.get(pk=made["id"]), GrantTarget.objects.get(pk=world.organisation.id)
        given = grant(actor=world.shell, principal=eve, role="auditor", target=root)
    address = {"op": "add", "path": "emails", "value": [{"value": "mallory@acme.example", "primary": True}]}
    assert directory.patch(f"/Users/{made['id']}", address).status_code == 403
    with tenant(world.organisation.id):
        assert not Membership.objects.filter(principal=eve).exists()
        withdraw(actor=world.shell, grant=given)
    assert directory.patch(f"/Users/{made['id']}", address).status_code == 204
    with tenant(world.organisation.id):
        assert Membership.objects.filter(principal=eve).exists()


def test_a_version_guards_against_lost_changes(directory: Directory) -> None:
    made = directory.person()
    path = f"/Users/{made['id']}"
    tag = directory.call("GET", path)["ETag"]
    assert directory.call("GET", path, **{"If-None-Match": tag}).status_code == 304
    rename = {"op": "replace", "path": "displayName", "value": "Countess"}
    assert directory.patch(path, rename, **{"If-Match": tag}).status_code == 204
    assert directory.patch(path, rename, **{"If-Match": tag}).status_code == 412
    assert directory.principal(made["id"]).name == "Countess"


def test_a_bulk_request_keeps_what_succeeded(directory: Directory) -> None:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"schemas": [USER], "userName": "one@b.example"}},
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"schemas": [USER], "userName": "one@b.example"}},
        {"method": "POST", "path": "/Groups", "bulkId": "c",
         "data": {"schemas": [GROUP], "displayName": "Crew", "members": [{"value": "bulkId:a"}]}},
    ]}  # fmt: skip
    answer = directory.call("POST", "/Bulk", body)
    assert [one["status"] for one in answer.json()["Operations"]] == ["201", "409", "201"], answer.content
    assert directory.call("GET", "/Groups").json()["totalResults"] == 1


@pytest.mark.parametrize("body", [
    {"schemas": [USER]}, {"schemas": [USER], "userName": ""}, {"schemas": [USER], "userName": "a\x00b"},
    {"schemas": [USER], "userName": "x", "displayName": "\ud800"}, {"schemas": [USER], "userName": "y" * 300},
    {"schemas": [USER], "userName": "x", "emails": [{"value": "no address"}]}, [], "text", None,
    {"schemas": [USER], "userName": "not an @ address"},
])  # fmt: skip
def test_hostile_bodies_are_refused_with_one_line(directory: Directory, body: Any) -> None:
    answer = directory.call("POST", "/Users", body if body is not None else {})
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/scim+json"
    assert answer.json()["detail"]
