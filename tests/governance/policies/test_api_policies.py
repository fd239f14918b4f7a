"""Policies over REST: published, switched, tried."""

from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["world"]
ACT = {"agent": "clerk", "target": "papers.search", "arguments": {"query": "x"}}
FORBID = "forbid (principal, action, resource);"


def test_a_policy_counts_at_once(world: World) -> None:
    api = world.api()
    assert api.post("/policies/try", ACT).json()["effect"] == "allow"
    made = api.post("/policies", {"slug": "no", "name": "No", "source": FORBID})
    assert made.status_code == 201, made.content
    assert made.json()["live"]["number"] == 1
    tried = api.post("/policies/try", ACT).json()
    assert tried["effect"] == "deny"
    assert tried["determinants"][0]["policy"] == "no"


def test_log_only_is_not_obeyed(world: World) -> None:
    api = world.api()
    api.post("/policies", {"slug": "no", "name": "No", "source": FORBID})
    assert api.post("/policies/no/mode", {"mode": "log_only"}).json()["mode"] == "log_only"
    assert api.post("/policies/try", ACT).json()["effect"] == "allow"


def test_a_source_that_does_not_validate_is_not_taken(world: World) -> None:
    api = world.api()
    answer = api.post("/policies/all/versions", {"source": "permit (principal, action"})
    assert answer.status_code == 400
    assert "source" in answer.json()["errors"]
    assert len(api.get("/policies/all/versions").json()["items"]) == 1


def test_a_version_is_added_and_none_changes(world: World) -> None:
    api = world.api()
    published = api.post("/policies/all/versions", {"source": FORBID, "note": "Stop."})
    assert (published.status_code, published.json()["number"]) == (201, 2)
    assert [one["number"] for one in api.get("/policies/all/versions").json()["items"]] == [2, 1]
    assert api.get("/policies/all").json()["live"]["number"] == 2


def test_whoever_only_looks_changes_nothing(world: World) -> None:
    for role in ("operator", "builder", "team-lead", "auditor"):
        assert world.api(role).post("/policies/all/mode", {"mode": "off"}).status_code == 403, role


def test_a_decision_is_shown_with_its_reasons(world: World) -> None:
    shown = world.api("viewer").get(f"/decisions/{world.things['decisions']}").json()
    assert (shown["effect"], shown["name"], shown["step"]) == ("ask", "papers.search", 1)
    assert len(world.api().get(f"/decisions?run_id={world.things['runs']}&effect=ask").json()["items"]) == 1
    assert world.api().get("/decisions?effect=deny").json()["items"] == []
