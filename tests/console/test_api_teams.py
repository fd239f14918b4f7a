"""Moving and archiving teams over REST: it needs the permission on both places."""

from foundation.access.services import grant
from foundation.organisations.models import GrantTarget
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import bare
from tests.foundation.api.world import World

__all__ = ["bare"]


def test_a_team_moves_and_is_put_away(bare: World) -> None:
    api = bare.api()
    one = api.post("/teams", {"slug": "one", "name": "One"}).json()
    moved = api.post(f"/teams/{one['id']}/move", {"parent": "desk"})
    assert moved.json()["parent"] == str(bare.team.id), moved.content
    assert api.post("/teams/desk/move", {"parent": "one"}).status_code == 400
    assert api.post("/teams/one/move", {"parent": None, "reason": "Independent."}).json()["parent"] is None
    assert api.post("/teams/one/archive", {}).json()["archived_at"]
    assert api.post("/teams", {"slug": "two", "name": "Two", "parent": "one"}).status_code == 400
    assert api.post("/teams/one/unarchive").json()["archived_at"] is None


def test_both_places_must_be_ones_own(bare: World) -> None:
    api = bare.api()
    for slug in ("mine", "other"):
        api.post("/teams", {"slug": slug, "name": slug})
    api.post("/teams", {"slug": "below", "name": "Below", "parent": "mine"})
    with tenant(bare.organisation.id):
        for slug in ("mine", "below"):
            target = GrantTarget.objects.get(name={"mine": "mine", "below": "Below"}[slug])
            grant(actor=bare.shell, principal=bare.people["stranger"], role="team-lead", target=target)
    lead = bare.api("stranger")
    assert lead.post("/teams/below/move", {"parent": "other"}).status_code == 404
    assert lead.post("/teams/below/move", {"parent": None}).json()["permission"] == "team.manage"
    assert lead.post("/teams/mine/move", {"parent": "below"}).status_code == 403
    assert api.post("/teams/below/move", {"parent": "other"}).status_code == 200
