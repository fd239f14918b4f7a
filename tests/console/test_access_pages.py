"""Roles of one's own, groups, reviews and the two questions in the console."""

from foundation.access.models import Grant, ReviewItem, Role
from foundation.identity.models import GroupMember, Principal
from foundation.tenancy.context import tenant
from tests.console.pages import Visit
from tests.foundation.api.world import World


def test_a_role_is_made_changed_and_deleted(world: World, visit: Visit):
    made = visit(
        "/settings/roles/own/", form={"name": "Starter", "slug": "starter", "permissions": ["run.view", "run.start"]}
    )
    assert made.status_code == 303
    with tenant(world.organisation.id):
        role = Role.objects.get(slug="starter")
    page = visit("/settings/roles/own/").content.decode()
    assert "Starter" in page
    assert '<option value="starter">Starter</option>' in visit("/settings/roles/").content.decode()
    changed = visit(f"/settings/roles/own/{role.id}/", form={"name": "Starter", "permissions": ["run.view"]})
    assert changed.status_code == 303
    refused = visit(f"/settings/roles/own/{role.id}/", form={"name": "Starter", "permissions": ["audit.read_bodies"]})
    assert refused.status_code == 422
    assert "You lack audit.read_bodies" in refused.content.decode()
    assert visit(f"/settings/roles/own/{role.id}/delete/", form={}).status_code == 303
    with tenant(world.organisation.id):
        assert not Role.objects.filter(slug="starter").exists()


def test_a_group_is_filled_and_emptied(world: World, visit: Visit):
    made = visit("/settings/groups/", form={"name": "Night shift"})
    place, person = made["Location"], world.people["viewer"]
    assert "Nobody is in it yet" in visit(place).content.decode()
    assert visit(place, form={"member": str(person.id)}).status_code == 303
    assert person.name in visit(place).content.decode()
    assert visit(f"{place}{person.id}/remove/", form={}).status_code == 303
    assert visit(f"{place}end/", form={}).status_code == 303
    with tenant(world.organisation.id):
        group = Principal.objects.get(name="Night shift")
        assert group.state == "left"
        assert not GroupMember.objects.filter(group=group).exists()


def test_the_page_says_why_and_who(world: World, visit: Visit):
    desk = world.team.id
    page = visit(f"/settings/access/?target={desk}&permission=policy.manage", "auditor").content.decode()
    assert world.people["administrator"].name in page
    assert world.people["viewer"].name not in page.partition("Line of inheritance")[2].partition("<form")[0]
    why = visit(f"/settings/access/?target={desk}&permission=run.view&principal={world.people['viewer'].id}", "auditor")
    assert "1 way." in why.content.decode()
    none = visit(
        f"/settings/access/?target={desk}&permission=run.start&principal={world.people['viewer'].id}", "auditor"
    )
    assert "No way" in none.content.decode()


def test_a_review_from_opening_to_export(world: World, visit: Visit):
    opened = visit("/settings/reviews/", form={"name": "Autumn", "target": str(world.team.id)})
    place = opened["Location"]
    with tenant(world.organisation.id):
        item = ReviewItem.objects.get(review_id=place.split("/")[-2])
    assert "not seen" in visit(place).content.decode()
    assert visit(f"{place}close/", form={}).status_code == 303  # refused: one is open
    assert "1 of 1 open" in visit(place).content.decode()
    assert visit(f"{place}{item.id}/revoke/", form={"note": "over"}).status_code == 303
    with tenant(world.organisation.id):
        assert not Grant.objects.filter(pk=item.grant).exists()
    assert visit(f"{place}close/", form={}).status_code == 303
    sheet = visit(f"{place}?format=csv").getvalue().decode()
    assert "revoked" in sheet
    assert visit(f"{place}?format=jsonl")["Content-Type"] == "application/jsonl"


def test_a_role_in_an_invitation_is_deleted_once_that_is_withdrawn(world: World, visit: Visit):
    api, root = world.api(), str(world.organisation.id)
    role = api.post("/roles", {"slug": "helper", "name": "Helper", "permissions": ["team.view"]}).json()["id"]
    asked = api.post("/invitations", {"email": "new@example.org", "role": "helper", "target": root}).json()["id"]
    refused = api.delete(f"/roles/{role}")
    assert refused.status_code == 409
    assert "An open invitation gives Helper" in refused.json()["detail"]
    told = visit(f"/settings/roles/own/{role}/delete/", form={})
    assert told.status_code == 303
    page = visit("/settings/roles/own/", Cookie=f"messages={told.cookies['messages'].coded_value}")
    assert "An open invitation gives Helper" in page.content.decode()
    assert api.delete(f"/invitations/{asked}").status_code == 204
    assert visit(f"/settings/roles/own/{role}/delete/", form={}).status_code == 303
    assert api.get(f"/roles/{role}").status_code == 404
    assert api.get(f"/invitations/{asked}").json()["role"] == "helper"
