"""Whatever a body holds, the answer is never an error of ours, and an error is always a problem document."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.foundation.api.world import World, furnish, make_organisation


@pytest.fixture(scope="module")
def world(django_db_blocker: Any) -> Iterator[World]:
    """One organisation for all attacks: whatever they make in it, the next one has to be answered well too."""
    with django_db_blocker.unblock():
        yield furnish(make_organisation("acme"))
        connections.close_all()


VALID: dict[str, dict[str, Any]] = {
    "/teams": {"slug": "new", "name": "New", "parent": "desk"},
    "/invitations": {"email": "new@example.org", "name": "New"},
    "/services": {"name": "Robot"},
    "/grants": {"principal": "", "role": "viewer", "target": "", "expires_at": None, "reason": ""},
    "/api-keys": {"name": "x", "scopes": [], "expires_at": None},
    "/providers": {"slug": "p", "name": "P", "base_url": "https://p.example.org/v1", "api": "chat", "key": ""},
    "/language-models": {
        "provider": "house", "slug": "m", "name": "M", "wire_name": "m", "context_window": 9, "max_output": 1,
    },
    "/language-models/small/prices": {"currency": "EUR", "input_per_million": 1, "output_per_million": 1},
    "/credentials": {"name": "c", "secret": "s"},
    "/connectors": {"slug": "c", "name": "C", "kind": "documents", "settings": {"documents": {"a": "b"}}},
    "/agents": {"team": "desk", "slug": "a", "name": "A", "purpose": "", "sponsor": None},
    "/agents/clerk/versions": {
        "instructions": "x", "language_model": "small", "tools": [], "delegates": [], "max_steps": 1, "note": "",
    },
    "/runs": {"agent": "clerk", "title": "", "input": "x"},
    "/policies": {"slug": "p", "name": "P", "source": "permit (principal, action, resource);", "mode": "off"},
    "/policies/try": {"agent": "clerk", "kind": "tool_call", "target": "papers.search", "arguments": {"query": "x"}},
    "/budgets": {"scope": "team", "scope_id": "", "limit": 1, "currency": "EUR", "period": "month"},
}  # fmt: skip

text = st.text() | st.sampled_from(["\x00", "\ud800", "a" * 100_000, "..", "<script>", "' OR 1=1 --", "٣", "\u202e"])
numbers = st.integers() | st.floats() | st.sampled_from([2**31, 2**63, 2**70, -1, 10**400])
leaf = st.none() | st.booleans() | text | numbers
anything = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))


@pytest.mark.parametrize("path", VALID)
def test_no_body_breaks_anything(world: World, path: str) -> None:
    api, valid = world.api(), VALID[path]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(sorted(valid)), anything)
    def attack(field: str, value: Any) -> None:
        answer = api.post(path, json.dumps(valid | {field: value}))
        assert answer.status_code < 500, (field, value, answer.content)
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json"

    attack()


@pytest.mark.parametrize("path", VALID)
def test_half_a_character_is_told_in_text_that_can_be_read(world: World, path: str) -> None:
    api, valid = world.api(), VALID[path]
    values: list[Any] = ["\ud800", ["\ud800"], {"\udfff": "\ud800"}]
    for body in [valid | {field: value} for field in valid for value in values] + [valid | {"\ud800": 1}]:
        answer = api.post(path, body)
        assert answer.status_code < 500, body
        assert answer.content.decode().isprintable()
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 20_000, "\xff\xfe", "NaN", '{"slug": 1e999}', "[]", "null"])
def test_a_body_that_cannot_be_read_is_told(world: World, body: str) -> None:
    assert world.api().post("/teams", body).status_code == 400


@pytest.mark.parametrize("name", ["%00", "%ff", "a%2fb", "x" * 5_000, "'", "0" * 36, "%F0%9F%92%A9"])
def test_a_name_that_cannot_be_is_unknown(world: World, name: str) -> None:
    for resource in ("teams", "agents", "runs", "policies", "people"):
        assert world.api().get(f"/{resource}/{name}").status_code == 404, resource


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "TRACE", "PROPFIND", "CONNECT"])
def test_a_method_that_is_not_offered_is_refused(world: World, method: str) -> None:
    assert world.api().call(method, "/teams").status_code == 405
