"""Signing in at a real OpenID Connect provider: who comes in, as whom, and what is refused."""

import urllib.parse
from typing import Any

import pytest

from foundation.access.models import permissions_on
from foundation.access.people import leave
from foundation.actors import Actor
from foundation.federation.models import FederatedIdentity, IdentityProvider
from foundation.federation.services import change_provider, map_group
from foundation.identity.authentication import actor_of_session
from foundation.identity.lookups import user_by_email
from foundation.identity.models import GroupMember, Membership
from foundation.identity.services import add_person, change_password, suspend_principal
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget
from tests.foundation.identity.household import PASSWORD, Household, away, make_household
from tests.identity_providers import RealProvider, come_in


@pytest.fixture
def subject() -> str:
    """Somebody whom nobody knows yet."""
    return f"s-{uuid7().hex}"


def who(client: Any) -> Actor | None:
    """Who acts in a browser."""
    return actor_of_session(client.session)


def test_somebody_unknown_becomes_a_person_of_the_organisation(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    real_provider.knows(subject, email=f"Nora@{domain}", name="Nora New")
    client = away()
    answer = come_in(client, real_provider, provider.slug, subject, "?next=/runs/")
    assert (answer.status_code, answer.headers.get("Location")) == (303, "/runs/"), answer.content.decode()[-900:]
    actor = who(client)
    assert actor is not None
    assert (actor.name, actor.method, actor.organisation) == ("Nora New", "single sign-on", household.organisation.id)
    assert [one.action for one in household.entries("person.add")][-1:] == ["person.add"]
    assert household.entries("person.sign_in")[-1].method == "single sign-on"
    again = away()
    assert come_in(again, real_provider, provider.slug, subject).status_code == 303
    with household.in_tenant():
        assert FederatedIdentity.objects.filter(subject=subject).count() == 1
        assert Membership.objects.filter(user__email=f"nora@{domain}").count() == 1


def test_whom_the_provider_does_not_vouch_for_stays_out(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    for claims, said in (
        ({"email": "a@elsewhere.example"}, "its domain is not among those entered"),
        ({"email": f"a@{domain}", "email_verified": False}, "vouches for no e-mail address"),
        ({"email": f"a@{domain}", "email_verified": "false"}, "vouches for no e-mail address"),
        ({"name": "No address"}, "vouches for no e-mail address"),
    ):
        real_provider.knows(subject, **claims)
        answer = come_in(away(), real_provider, provider.slug, subject)
        assert answer.status_code == 422
        assert said in answer.content.decode()
    assert len(household.entries("person.sign_in", "denied")) == 4


def test_nobody_new_comes_in_where_the_provider_makes_no_people(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    with household.in_tenant():
        change_provider(actor=household.shell, provider=provider, provisions=False)
    real_provider.knows(subject, email=f"nora@{domain}")
    answer = come_in(away(), real_provider, provider.slug, subject)
    assert "ask an administrator to add or invite you" in answer.content.decode()
    assert user_by_email(f"nora@{domain}") is None


def test_groups_come_and_go_with_each_sign_in(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    with household.in_tenant():
        root = GrantTarget.objects.get(pk=household.organisation.id)
        map_group(actor=household.shell, provider=provider, group="ops", role="operator", target=root)
    real_provider.knows(subject, email=f"nora@{domain}", groups=["ops", "others"])
    client = away()
    come_in(client, real_provider, provider.slug, subject)
    actor = who(client)
    assert actor is not None
    with household.in_tenant():
        assert GroupMember.objects.get(member_id=actor.principal).source == "oidc"
        assert "run.start" in permissions_on(actor, root.id)
    assert client.get("/runs/").status_code == 200
    real_provider.knows(subject, email=f"nora@{domain}", groups=[])
    come_in(away(), real_provider, provider.slug, subject)
    with household.in_tenant():
        assert not GroupMember.objects.filter(member_id=actor.principal).exists()
        assert permissions_on(actor, root.id) == frozenset()
    assert client.get("/runs/").status_code == 403
    assert (len(household.entries("group.join")), len(household.entries("group.leave"))) == (1, 1)


def test_a_provider_opens_its_own_organisation_and_nothing_of_the_person(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    """Whoever runs a provider can make it say anything: that must not open what the person has elsewhere."""
    other = make_household("Elsewhere")
    with other.in_tenant():
        from_there = other.user(other.member)
        type(from_there).objects.using("system").filter(pk=from_there.pk).update(email=f"victim@{domain}")
    real_provider.knows(subject, email=f"victim@{domain}")
    client = away()
    assert come_in(client, real_provider, provider.slug, subject).status_code == 303
    client.post("/organisation/", {"organisation": str(other.organisation.id)})
    actor = who(client)
    assert actor is not None
    assert actor.organisation == household.organisation.id
    new = "another long walk by the sea"
    answer = client.post("/settings/password/", {"password": new, "again": new})
    assert "it keeps how you sign in" in answer.content.decode()
    elsewhere = away()
    assert elsewhere.post("/sign-in/", {"email": f"victim@{domain}", "password": PASSWORD}).status_code == 303
    assert other.organisation.name not in client.get("/settings/security/").content.decode()
    client.post("/settings/security/sessions/end/")
    actor = who(elsewhere)
    assert actor is not None, "A provider's session signs nobody out elsewhere."


def test_where_it_is_required_no_password_opens_the_organisation(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    real_provider.knows(subject, email=f"nora@{domain}")
    come_in(away(), real_provider, provider.slug, subject)
    user = user_by_email(f"nora@{domain}")
    assert user is not None
    with household.in_tenant():
        change_password(actor=household.shell, user=user, password=PASSWORD)
    client = away()
    form = {"email": user.email, "password": PASSWORD}
    assert client.post("/sign-in/", form).status_code == 303
    with household.in_tenant():
        change_provider(actor=household.shell, provider=provider, required=True)
    assert who(client) is None
    assert "choose single sign-on" in away().post("/sign-in/", form).content.decode()
    assert come_in(away(), real_provider, provider.slug, subject).status_code == 303
    assert away().post(household.link(household.owner)).status_code == 303


def test_switching_the_provider_off_ends_its_sessions(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    real_provider.knows(subject, email=f"nora@{domain}")
    client = away()
    come_in(client, real_provider, provider.slug, subject)
    assert who(client) is not None
    with household.in_tenant():
        change_provider(actor=household.shell, provider=provider, is_active=False)
    assert who(client) is None
    assert away().get(f"/sign-in/with/{provider.slug}/start/").status_code == 422


def test_an_answer_counts_once_and_in_the_browser_that_asked(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    real_provider.knows(subject, email=f"nora@{domain}")
    client, thief = away(), away()
    there = client.get(f"/sign-in/with/{provider.slug}/start/")["Location"]
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(there).query))
    assert {"nonce", "state", "code_challenge"} <= asked.keys()
    assert asked["redirect_uri"].endswith(f"/sign-in/with/{provider.slug}/callback/")
    back = urllib.parse.urlsplit(real_provider.signs_in(there, subject))
    address = f"{back.path}?{back.query}"
    assert "start again" in thief.get(address).content.decode()
    assert client.get(address).status_code == 303
    assert away().get(address).status_code == 422
    assert "start again" in client.get(address).content.decode()


def test_suspended_people_stay_out(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    real_provider.knows(subject, email=f"nora@{domain}")
    client = away()
    come_in(client, real_provider, provider.slug, subject)
    with household.in_tenant():
        principal = Membership.objects.get(user__email=f"nora@{domain}").principal
        suspend_principal(actor=household.shell, principal=principal, reason="away")
    assert "suspended" in come_in(away(), real_provider, provider.slug, subject).content.decode()


def test_an_address_given_to_somebody_else_brings_nothing_along(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    real_provider.knows(subject, email=f"nora@{domain}")
    come_in(away(), real_provider, provider.slug, subject)
    real_provider.knows(f"{subject}-2", email=f"nora@{domain}")
    answer = come_in(away(), real_provider, provider.slug, f"{subject}-2")
    assert "another account of the provider" in answer.content.decode()


def test_whoever_has_left_comes_back_only_when_added_anew(
    household: Household, provider: IdentityProvider, real_provider: RealProvider, domain: str, subject: str
):
    real_provider.knows(subject, email=f"nora@{domain}", name="Nora")
    client = away()
    come_in(client, real_provider, provider.slug, subject)
    with household.in_tenant():
        leave(actor=household.shell, principal=Membership.objects.get(user__email=f"nora@{domain}").principal)
    assert who(client) is None
    assert "You have left" in come_in(away(), real_provider, provider.slug, subject).content.decode()
    with household.in_tenant():
        add_person(
            actor=household.shell, organisation=household.organisation, email=f"nora@{domain}", name="Nora again"
        )
    client = away()
    assert come_in(client, real_provider, provider.slug, subject).status_code == 303
    actor = who(client)
    assert actor is not None
    assert actor.name == "Nora again"


def test_what_the_operator_did_not_allow_is_not_asked(household: Household, provider: IdentityProvider, settings: Any):
    settings.REMIT_OUTBOUND_ALLOW = ()
    answer = away().get(f"/sign-in/with/{provider.slug}/start/")
    assert answer.status_code == 422
    assert "REMIT_OUTBOUND_ALLOW" in answer.content.decode()
