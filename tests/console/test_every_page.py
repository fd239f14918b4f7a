"""Every page of the console: who may open it, and that nothing of another organisation is on it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from tests.console.pages import Visit, with_waits
from tests.foundation.api.world import World, furnish, make_organisation

PAGES = {
    "/": "viewer",
    "/search?q=canary": "stranger",
    "/approvals/": "viewer",
    "/approvals/?state=mine": "viewer",
    "/approvals/?state=decided": "viewer",
    "/approvals/{approvals}/": "viewer",
    "/runs/": "viewer",
    "/runs/?status=failed&q=x&all=1": "viewer",
    "/runs/?status=waiting&waits=approval&relation=fork": "viewer",
    "/runs/new": "operator",
    "/runs/{runs}/": "viewer",
    "/runs/{runs}/?step=1&kind=problem": "viewer",
    "/runs/{runs}/?part=live": "viewer",
    "/sessions/": "viewer",
    "/sessions/?state=open&agent=clerk&q=x&all=1": "viewer",
    "/sessions/{sessions}/": "viewer",
    "/sessions/new": "operator",
    "/sessions/{sessions}/continue": "operator",
    "/sessions/{sessions}/memory/new": "operator",
    "/sessions/{sessions}/files/new": "operator",
    "/sessions/{sessions}/move": "builder",
    "/questions/{questions}/": "viewer",
    "/runs/{runs}/fork?step=1": "operator",
    "/runs/{runs}/replay": "operator",
    "/runs/{runs}/retry": "operator",
    "/runs/{runs}/compare": "viewer",
    "/runs/{runs}/compare/{runs}/": "viewer",
    "/schedules/": "viewer",
    "/schedules/?state=enabled&q=x": "viewer",
    "/schedules/{schedules}/": "viewer",
    "/schedules/{schedules}/change": "builder",
    "/schedules/new": "builder",
    "/triggers/": "viewer",
    "/triggers/{triggers}/": "viewer",
    "/triggers/new": "builder",
    "/workers/": "viewer",
    "/agents/": "viewer",
    "/agents/?view=ownerless&q=x": "viewer",
    "/agents/new": "builder",
    "/agents/clerk/": "viewer",
    "/agents/clerk/versions/": "viewer",
    "/agents/clerk/versions/new": "builder",
    "/policies/": "viewer",
    "/policies/new": "administrator",
    "/policies/try/": "viewer",
    "/policies/all/": "viewer",
    "/policies/all/?version=1": "viewer",
    "/policies/all/edit/": "administrator",
    "/tools/": "viewer",
    "/tools/papers.search/": "viewer",
    "/tools/connectors/new": "builder",
    "/tools/credentials/new": "builder",
    "/costs/": "viewer",
    "/costs/?range=30d&group=team": "viewer",
    "/costs/budget": "team-lead",
    "/audit/": "auditor",
    "/audit/?q=run&kind=person&outcome=ok&range=all": "auditor",
    "/audit/verify/": "auditor",
    "/settings/": "stranger",
    "/settings/people/": "viewer",
    "/settings/people/{people}/": "administrator",
    "/settings/services/": "viewer",
    "/settings/directory/": "administrator",
    "/settings/teams/": "viewer",
    "/settings/teams/{teams}/": "viewer",
    "/settings/delegations/": "viewer",
    "/settings/delegations/{delegations}/": "operator",
    "/settings/roles/": "auditor",
    "/settings/roles/own/": "auditor",
    "/settings/roles/own/{roles}/": "auditor",
    "/settings/groups/": "viewer",
    "/settings/groups/{groups}/": "viewer",
    "/settings/access/": "auditor",
    "/settings/access/?target={teams}&permission=run.start": "auditor",
    "/settings/access/?target={teams}&permission=run.view&principal={people}": "auditor",
    "/settings/reviews/": "auditor",
    "/settings/reviews/{reviews}/": "auditor",
    "/settings/models/": "viewer",
    "/settings/models/new": "administrator",
    "/settings/providers/new": "administrator",
    "/settings/tokens/": "operator",
    "/settings/invitations/": "administrator",
    "/settings/single-sign-on/": "administrator",
    "/settings/single-sign-on/{provider}/": "administrator",
    "/settings/single-sign-on/{provider}/change/": "administrator",
    "/settings/security/": "stranger",
    "/settings/security/leave/": "stranger",
    "/settings/password/": "stranger",
}


@pytest.fixture(scope="module")
def world(django_db_blocker: Any) -> Iterator[World]:
    """One organisation for all pages: they are only looked at."""
    with django_db_blocker.unblock():
        yield furnish(make_organisation("console"))
        connections.close_all()


def address(path: str, world: World) -> str:
    """A page's address, with the ids of this organisation."""
    names = {name: value for name, value in world.things.items() if name.isidentifier()}
    return path.format(**names, provider=world.things["identity-providers"])


@pytest.mark.parametrize("path", PAGES)
def test_whoever_holds_the_permission_sees_it(world: World, visit: Visit, path: str):
    answer = visit(address(path, world), PAGES[path])
    assert answer.status_code == 200
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["Cache-Control"].startswith("private")


def test_a_stranger_sees_only_what_is_personal(world: World, visit: Visit):
    for path, role in PAGES.items():
        answer = visit(address(path, world), "stranger")
        assert answer.status_code == (200 if role == "stranger" else 403), path
        assert "query" not in answer.content.decode() or role == "stranger", path


def test_nobody_is_sent_to_sign_in_and_comes_back(world: World):
    for path in PAGES:
        answer = Client().get(address(path, world))
        assert answer.status_code == 303, path
        assert answer["Location"].startswith("/sign-in/?next=%2F"), path


@pytest.mark.slow
def test_another_organisation_is_not_there(world: World, visit: Visit):
    theirs = with_waits(furnish(make_organisation("theirs")))
    for path in PAGES:
        foreign = address(path, theirs)
        answer = visit(foreign)
        assert answer.status_code == (404 if foreign != address(path, world) else 200), path
        assert theirs.canary not in answer.content.decode(), path


def test_a_viewer_cannot_write_anywhere(world: World, visit: Visit):
    run, ask = world.things["runs"], world.things["approvals"]
    session, schedule, trigger = (world.things[name] for name in ("sessions", "schedules", "triggers"))
    person = world.people["operator"].id
    forms: dict[str, dict[str, Any]] = {
        f"/runs/{run}/cancel/": {},
        f"/runs/{run}/steps/1/resolve/": {},
        "/runs/new": {"agent": "clerk", "input": "x"},
        **{f"/runs/{run}/{verb}": {} for verb in ("pause/", "resume/", "retry", "fork", "replay")},
        "/sessions/new": {"agent": "clerk"},
        **{
            f"/sessions/{session}/{act}": {"name": "x", "value": "x", "input": "x"}
            for act in ("continue", "move", "close/", "memory/new", "memory/forget/", "files/new")
        },
        f"/questions/{world.things['questions']}/": {"right": "true", "note": "x"},
        f"/callbacks/{world.things['callbacks']}/secret/": {},
        "/schedules/new": {"preview": "1"},
        f"/schedules/{schedule}/change": {},
        **{f"/schedules/{schedule}/{verb}/": {} for verb in ("enable", "disable", "run", "delete")},
        "/triggers/new": {},
        **{f"/triggers/{trigger}/{verb}/": {} for verb in ("rotate", "enable", "disable", "delete")},
        f"/approvals/{ask}/approve/": {"digest": "sha256:1"},
        f"/approvals/{ask}/deny/": {"reason": "No"},
        "/agents/new": {},
        "/agents/clerk/suspend/": {"reason": "x"},
        "/agents/clerk/sponsor/": {"sponsor": str(person)},
        "/agents/clerk/versions/1/serve/": {},
        "/agents/clerk/versions/new": {},
        "/policies/new": {},
        "/policies/all/edit/": {},
        "/policies/all/mode/": {"mode": "off"},
        "/tools/papers.search/disable/": {},
        "/tools/connectors/papers/refresh/": {},
        "/tools/connectors/new": {},
        "/tools/credentials/new": {},
        "/costs/budget": {},
        f"/settings/people/{person}/suspend/": {"reason": "x"},
        f"/settings/people/{person}/restore/": {},
        "/settings/teams/": {},
        "/settings/roles/": {},
        f"/settings/roles/{world.things['grants']}/withdraw/": {},
        "/settings/tokens/": {"name": "x"},
        "/settings/models/new": {},
        "/settings/providers/new": {},
    }
    for path, form in forms.items():
        assert visit(path, "viewer", form=form).status_code == 403, path
