"""A browser's session may use the API too, and to write it needs the CSRF token."""

from django.test import Client

from foundation.tenancy.context import tenant
from tests.foundation.api.world import BASE, World


def _browser(world: World) -> Client:
    with tenant(world.organisation.id):
        user = world.people["administrator"].memberships.select_related("user").get().user
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="foundation.identity.authentication.EmailBackend")
    return client


def test_reading_needs_the_session_only(bare: World) -> None:
    assert _browser(bare).get(f"{BASE}/teams").status_code == 200


def test_writing_needs_the_token(bare: World) -> None:
    answer = _browser(bare).post(f"{BASE}/teams", {"slug": "x", "name": "X"}, content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]


def test_a_key_needs_no_token(bare: World) -> None:
    answer = Client(enforce_csrf_checks=True).post(
        f"{BASE}/teams",
        {"slug": "x", "name": "X"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {bare.keys['administrator']}"},
    )
    assert answer.status_code == 201
