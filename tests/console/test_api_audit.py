"""The record over REST."""

import pytest

from tests.foundation.api.fixtures import bare
from tests.foundation.api.world import World
from tests.seals import seal_all

__all__ = ["bare"]


def test_what_was_done_is_there(bare: World) -> None:
    bare.api().post("/teams", {"slug": "new", "name": "New"})
    entries = bare.api("auditor").get("/audit?action=team.create&limit=1").json()["items"]
    assert entries[0]["target_name"] == "New"
    assert entries[0]["actor_id"] == str(bare.people["administrator"].id)
    assert entries[0]["method"] == "API key"
    one = bare.api("auditor").get(f"/audit/{entries[0]['id']}")
    assert one.json() == entries[0]


@pytest.mark.slow
def test_the_record_is_verified_and_its_head_shown(bare: World) -> None:
    seal_all(bare.organisation.id)
    api = bare.api("auditor")
    verified = api.post("/audit/verify")
    assert verified.status_code == 200, verified.content
    assert verified.json()["ok"] is True
    assert verified.json()["size"] > 0
    head = api.get("/audit/checkpoint").json()
    assert head["note"].startswith(f"remit/{bare.organisation.id}\n{head['size']}\n")
    assert head["keys"]


def test_a_lead_of_one_team_does_not_read_the_record_of_all(bare: World) -> None:
    assert bare.api("team-lead").get("/audit").status_code == 403
    assert bare.api("viewer").post("/audit/verify").status_code == 403


def test_failures_of_strangers_are_not_ours(bare: World) -> None:
    said = bare.api("auditor").get("/audit?outcome=denied").json()["items"]
    assert all(entry["actor_id"] in {str(person.id) for person in bare.people.values()} for entry in said)
