"""Settings: people, roles, teams and keys through their forms."""

from foundation.access.models import Grant
from foundation.identity.models import ApiKey, Membership, Principal
from foundation.ids import uuid7
from foundation.organisations.models import Team
from foundation.tenancy.context import tenant
from tests.console.pages import Visit
from tests.foundation.api.world import Api, World


def test_an_administrator_adds_a_person_and_gives_a_role(world: World, visit: Visit):
    answer = visit("/settings/people/", form={"name": "Maya", "email": f"{uuid7()}@example.org"})
    assert answer.status_code == 303
    with tenant(world.organisation.id):
        person = Membership.objects.get(principal__name="Maya").principal
    form = {"principal": str(person.id), "role": "operator", "target": str(world.team.id), "reason": "On call"}
    assert visit("/settings/roles/", form=form).status_code == 303
    with tenant(world.organisation.id):
        assert Grant.objects.get(principal=person).role == "operator"


def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(visit: Visit):
    answer = visit("/settings/people/", form={"name": "Maya", "email": "not an address"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'value="Maya"' in page
    assert "error-summary" in page
    assert 'aria-invalid="true"' in page


def test_nobody_gives_more_than_they_hold(world: World, visit: Visit):
    form = {"principal": str(world.people["viewer"].id), "role": "administrator", "target": str(world.team.id)}
    assert visit("/settings/roles/", "team-lead", form=form).status_code == 422


def test_a_key_is_shown_once_and_works_until_it_is_revoked(world: World, visit: Visit):
    form = {"name": "Script", "principal": str(world.people["operator"].id)}
    page = visit("/settings/tokens/", "operator", form=form).content.decode()
    secret = page.partition('data-copy="')[2].partition('"')[0]
    assert Api(secret).get("/runs").status_code == 200
    assert secret not in visit("/settings/tokens/", "operator").content.decode()
    with tenant(world.organisation.id):
        key = ApiKey.objects.get(name="Script")
    assert visit(f"/settings/tokens/{key.id}/revoke/", "operator", form={}).status_code == 303
    assert Api(secret).get("/runs").status_code == 401


def test_an_operator_makes_no_key_for_somebody_else(world: World, visit: Visit):
    form = {"name": "Script", "principal": str(world.people["administrator"].id)}
    assert visit("/settings/tokens/", "operator", form=form).status_code == 422


def test_a_team_is_created_below_another(world: World, visit: Visit):
    form = {"name": "Night shift", "slug": "night", "parent": str(world.team.id)}
    assert visit("/settings/teams/", form=form).status_code == 303
    with tenant(world.organisation.id):
        assert Team.objects.get(slug="night").parent_id == world.team.id


def test_a_person_is_suspended_with_a_reason_and_restored(world: World, visit: Visit):
    person = world.people["operator"].id
    visit(f"/settings/people/{person}/suspend/", form={"reason": ""})
    with tenant(world.organisation.id):
        assert Principal.objects.get(pk=person).state == "active"
    visit(f"/settings/people/{person}/suspend/", form={"reason": "Away"})
    with tenant(world.organisation.id):
        assert Principal.objects.get(pk=person).state == "suspended"
    visit(f"/settings/people/{person}/restore/", form={})
    assert visit("/runs/", "operator").status_code == 200
