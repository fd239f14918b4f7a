"""What a web session is worth after it has begun."""

from django.test import Client

from foundation.identity.authentication import actor_of_session
from foundation.identity.services import add_person, change_password, restore_principal, suspend_principal
from foundation.tenancy.context import tenant
from tests.foundation.identity.household import Household, browser, make_household


def test_suspension_ends_the_session_at_once(household: Household, visitor: Client) -> None:
    """The next request is nobody's, and that is recorded once."""
    visitor.get(household.link(household.member))
    with household.in_tenant():
        suspend_principal(actor=household.shell, principal=household.member.principal, reason="left us")
    assert [visitor.get("/who").json()["kind"] for _ in range(3)] == ["anonymous"] * 3
    assert len(household.entries("person.authenticate", "denied")) == 1


def test_ended_session_stays_ended_after_restoration(household: Household, visitor: Client) -> None:
    """Whoever comes back signs in again."""
    visitor.get(household.link(household.member))
    principal = household.principal(household.member)
    with household.in_tenant():
        suspend_principal(actor=household.shell, principal=principal, reason="a mistake")
    visitor.get("/who")
    with household.in_tenant():
        restore_principal(actor=household.shell, principal=principal)
    assert visitor.get("/who").json()["kind"] == "anonymous"


def test_new_password_ends_all_sessions(household: Household, visitor: Client) -> None:
    """Of that person."""
    visitor.get(household.link(household.owner))
    with household.in_tenant():
        change_password(actor=household.shell, user=household.user(household.owner), password="another long walk")
    assert visitor.get("/who").json()["kind"] == "anonymous"


def test_sign_out_ends_the_session(household: Household, visitor: Client) -> None:
    """On the server, not only in the browser."""
    visitor.get(household.link(household.owner))
    thief = browser()
    thief.cookies["remit_session"] = visitor.cookies["remit_session"].value
    visitor.get("/sign-out/")
    assert thief.get("/who").json()["kind"] == "anonymous"
    assert len(household.entries("person.sign_out")) == 1


def test_actor_of_a_session_by_its_key(household: Household, visitor: Client) -> None:
    """For answers outside Django's requests."""
    visitor.get(household.link(household.owner))
    actor = actor_of_session(visitor.cookies["remit_session"].value, request="r-1", address="10.0.0.1")
    assert actor is not None
    assert (actor.organisation, actor.principal) == (household.organisation.id, household.owner.principal_id)
    assert (actor.user, actor.request, actor.address) == (household.owner.user_id, "r-1", "10.0.0.1")
    assert actor.authenticated_at is not None
    assert actor_of_session("no-such-key") is None


def test_one_organisation_at_a_time(household: Household, visitor: Client) -> None:
    """Whoever belongs to two sees the chosen one only, and a stranger's cannot be chosen."""
    second, third = make_household("Other"), make_household("Strange")
    user = household.user(household.owner)
    with tenant(second.organisation.id):
        add_person(actor=second.shell, organisation=second.organisation, email=user.email, name="Owner")
    visitor.get(household.link(household.owner))
    first = visitor.get("/who").json()["sees"]
    for chosen in (second, household):
        assert visitor.get(f"/choose/{chosen.organisation.id}").status_code == 200
        assert visitor.get("/who").json()["sees"] == [chosen.organisation.slug]
    assert first in ([household.organisation.slug], [second.organisation.slug])
    assert visitor.get(f"/choose/{third.organisation.id}").status_code == 400
    assert visitor.get("/who").json()["sees"] == [household.organisation.slug]
    assert len(second.entries("person.choose_organisation")) == 1


def test_suspended_in_one_organisation_works_in_the_other(household: Household, visitor: Client) -> None:
    """The suspended one is not offered any more."""
    second = make_household("Other")
    with tenant(second.organisation.id):
        member = add_person(
            actor=second.shell,
            organisation=second.organisation,
            email=household.user(household.owner).email,
            name="Owner",
        )
    visitor.get(household.link(household.owner))
    visitor.get(f"/choose/{second.organisation.id}")
    with second.in_tenant():
        suspend_principal(actor=second.shell, principal=member.principal, reason="project over")
    assert visitor.get("/who").json()["sees"] == [household.organisation.slug]
