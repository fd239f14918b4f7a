"""Access from the shell: `manage.py sign_in_link` and `manage.py create_api_key`."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client

from foundation.access.models import Grant
from foundation.audit.models import AuditEntry
from foundation.identity.authentication import actor_of_key
from foundation.identity.services import add_person, suspend_principal
from foundation.ids import uuid7
from tests.foundation.identity.household import Household, browser, make_household


@pytest.fixture
def household(database: Any, settings: Any) -> Household:
    """An organisation with an owner and a member."""
    settings.ROOT_URLCONF = "tests.foundation.identity.site"
    return make_household()


def run(command: str, *arguments: str) -> str:
    """What the command printed."""
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def sign_in(link: str) -> Client:
    """A browser that followed the link."""
    client = browser()
    assert client.get(link[link.index("/sign-in/") :].strip()).status_code == 200
    return client


def test_link_for_an_address(household: Household) -> None:
    """One line, one address, one sign-in."""
    said = run("sign_in_link", household.user(household.member).email.upper())
    assert len(said.splitlines()) == 1
    assert sign_in(said).get("/who").json()["name"] == "Member"
    assert household.entries("person.sign_in_link")[0].method == "shell"


def test_link_for_the_first_administrator(household: Household) -> None:
    """Whoever it is, it administers something; suspended ones are passed over."""
    client = sign_in(run("sign_in_link", "--first-administrator"))
    assert client.get("/who").json()["kind"] == "person"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody@example.org",), "no person"),
        (("--create", "a@example.org"), "together"),
        (("--create", "a@example.org", "--organisation", "nonesuch"), "no organisation"),
        ((), "required"),
    ],
)
def test_bad_wishes(household: Household, arguments: tuple[str, ...], message: str) -> None:
    """One clear line."""
    with pytest.raises(CommandError, match=message):
        run("sign_in_link", *arguments)


def test_recovery_only_where_no_administrator_is_left(household: Household) -> None:
    """Otherwise the administrators decide who becomes one."""
    wish = ("--create", f"{uuid7()}@example.org", "--organisation", household.organisation.slug)
    with pytest.raises(CommandError, match="has an administrator"):
        run("sign_in_link", *wish)
    with household.in_tenant():
        suspend_principal(actor=household.shell, principal=household.owner.principal, reason="left")
    client = sign_in(run("sign_in_link", *wish))
    assert client.get("/who").json()["sees"] == [household.organisation.slug]
    assert client.get("/guarded").status_code == 200
    entry = household.entries("grant.give")[-1]
    assert (entry.reason, entry.actor_name) == ("recovery from the shell", "shell")


def test_recovery_of_a_suspended_member(household: Household) -> None:
    """It is restored, and its limited grant becomes a lasting one."""
    with household.in_tenant():
        Grant.objects.update(expires_at="2001-01-01T00:00:00Z")
        suspend_principal(actor=household.shell, principal=household.owner.principal, reason="left")
    email = household.user(household.owner).email
    client = sign_in(run("sign_in_link", "--create", email, "--organisation", household.organisation.slug))
    assert client.get("/guarded").status_code == 200
    with household.in_tenant():
        assert Grant.objects.get(role="administrator").expires_at is None
        assert AuditEntry.objects.filter(action="person.restore").exists()


def test_api_key_for_scripts(household: Household) -> None:
    """Printed once, alone on its line; narrowed and limited as wished."""
    email = household.user(household.owner).email
    said = run("create_api_key", "--email", email, "--name", "cron", "--scopes", "run.view,run.start",
               "--expires-days", "7")  # fmt: skip
    actor = actor_of_key(said.strip())
    assert actor is not None
    assert (actor.principal, actor.scopes) == (household.owner.principal_id, frozenset({"run.view", "run.start"}))
    with connections["system"].cursor() as cursor:
        cursor.execute(
            "SELECT round(extract(epoch FROM expires_at - now()) / 86400) FROM identity_apikey WHERE name = 'cron' "
            "AND principal_id = %s",
            [household.owner.principal_id],
        )
        assert cursor.fetchone() == (7,)
    assert said.strip().rpartition("_")[2] not in str(household.entries("key.create")[0].__dict__)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--email", "nobody@example.org"), "No person"),
        (("--scopes", "run.view,run.fly"), "no permission run.fly"),
        (("--expires-days", "0"), "a day at least"),
        (("--organisation", "nonesuch"), "no organisation"),
    ],
)
def test_bad_keys(household: Household, arguments: tuple[str, ...], message: str) -> None:
    """One clear line."""
    email = household.user(household.owner).email
    with pytest.raises(CommandError, match=message):
        run("create_api_key", "--email", email, *arguments)


def test_person_of_two_organisations_says_which(household: Household) -> None:
    """A key belongs to one."""
    other, email = make_household("Other"), household.user(household.owner).email
    with other.in_tenant():
        add_person(actor=other.shell, organisation=other.organisation, email=email, name="Owner")
    with pytest.raises(CommandError, match="--organisation"):
        run("create_api_key", "--email", email)
    actor = actor_of_key(run("create_api_key", "--email", email, "--organisation", other.organisation.slug).strip())
    assert actor is not None
    assert actor.organisation == other.organisation.id
