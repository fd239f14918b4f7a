"""Settings: people, roles, teams and keys through their forms."""

from foundation.access.models import Grant
from foundation.identity.models import ApiKey, Principal
from foundation.organisations.models import Team
from foundation.tenancy.context import tenant
from tests.console.pages import Visit
from tests.foundation.api.world import Api, World

MARKS = [('<nav class="tabs"', "</nav>"), ('<ul class="rows bare"', "</ul>")]


def test_an_administrator_gives_a_role(world: World, visit: Visit):
    person = world.people["stranger"]
    form = {"principal": str(person.id), "role": "operator", "target": str(world.team.id), "reason": "On call"}
    assert visit("/settings/roles/", form=form).status_code == 303
    assert visit("/settings/people/", form={"name": "M", "email": "m@example.org"}).status_code == 405
    with tenant(world.organisation.id):
        assert Grant.objects.get(principal=person).role == "operator"


def test_what_has_no_end_says_so_without_its_heading(visit: Visit):
    """On a phone no headings stand over the columns."""
    page = visit("/settings/roles/").content.decode()
    assert '<td role="cell" class="t2">no end</td>' in page
    assert "it is withdrawn" not in page.partition("</table>")[0]


def test_the_list_of_settings_leads_to_each_of_its_pages(visit: Visit):
    page = visit("/settings/").content.decode()
    tabs, rows = (page.partition(mark)[2].partition(end)[0] for mark, end in MARKS)
    listed = {part.partition('"')[0] for part in rows.split('href="')[1:]}
    wanted = {part.partition('"')[0] for part in tabs.split('href="')[1:]}
    assert "/settings/people/" in wanted
    assert wanted <= listed


def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(visit: Visit):
    answer = visit("/settings/invitations/", form={"name": "Maya", "email": "not an address"})
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


def test_a_person_is_offboarded_on_its_page(world: World, visit: Visit):
    builder, lead = world.people["builder"].id, world.people["team-lead"].id
    page = visit(f"/settings/people/{builder}/").content.decode()
    assert "Starts runs in its name" in page
    unreasoned = visit(f"/settings/people/{builder}/", form={"successor": str(lead), "reason": ""})
    assert unreasoned.status_code == 422
    answer = visit(f"/settings/people/{builder}/", form={"successor": str(lead), "reason": "A new job."})
    assert answer.status_code == 303, answer.content
    with tenant(world.organisation.id):
        assert Principal.objects.get(pk=builder).state == "left"
    assert visit(f"/settings/people/{builder}/", "viewer").status_code == 403
    assert "This person has left." in visit(f"/settings/people/{builder}/").content.decode()


def test_a_service_is_created_and_listed(world: World, visit: Visit):
    answer = visit("/settings/services/", form={"name": "Pipeline"})
    assert answer["Location"].startswith("/settings/roles/?principal=")
    assert "Pipeline" in visit("/settings/services/").content.decode()
    assert visit("/settings/services/", "viewer", form={"name": "Mine"}).status_code == 403


def test_a_key_is_narrowed_and_rotated(world: World, visit: Visit):
    form = {"name": "narrow", "principal": str(world.people["operator"].id), "scopes": ["run.view"]}
    page = visit("/settings/tokens/", "operator", form=form).content.decode()
    assert "run.view" in page
    with tenant(world.organisation.id):
        key = ApiKey.objects.get(name="narrow")
    page = visit(f"/settings/tokens/{key.id}/rotate/", "operator", form={"overlap": "3600"}).content.decode()
    assert "The former one" in page
    with tenant(world.organisation.id):
        key.refresh_from_db()
        assert key.successor is not None
        assert key.successor.scopes == ["run.view"]
        assert key.expires_at is not None
    again = visit(f"/settings/tokens/{key.id}/rotate/", "operator", form={"overlap": "3600"})
    assert again.status_code == 303
    other = visit(f"/settings/tokens/{key.id}/rotate/", "viewer", form={"overlap": "0"})
    assert other.status_code in {403, 404}


def test_a_team_is_renamed_moved_and_put_away(world: World, visit: Visit):
    visit("/settings/teams/", form={"name": "One", "slug": "one", "parent": ""})
    with tenant(world.organisation.id):
        one = Team.objects.get(slug="one")
    visit(f"/settings/teams/{one.id}/", form={"name": "First", "parent": str(world.team.id)})
    with tenant(world.organisation.id):
        one.refresh_from_db()
        assert (one.name, one.parent_id) == ("First", world.team.id)
    itself = visit(f"/settings/teams/{world.team.id}/", form={"name": "Desk", "parent": str(one.id)})
    assert itself.status_code == 422
    assert visit(f"/settings/teams/{one.id}/archive/", form={"reason": "Done."}).status_code == 303
    with tenant(world.organisation.id):
        one.refresh_from_db()
        assert one.archived_at is not None
    visit(f"/settings/teams/{one.id}/unarchive/", form={})
    assert visit(f"/settings/teams/{one.id}/", "viewer", form={"name": "Mine", "parent": ""}).status_code == 403


def test_the_page_of_the_directory_says_how_it_is_connected(visit: Visit):
    page = visit("/settings/directory/").content.decode()
    assert "/scim/v2" in page
    assert visit("/settings/directory/", "viewer").status_code == 403
