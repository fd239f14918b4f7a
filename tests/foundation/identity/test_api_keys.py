"""What a person or a service presents to us."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from foundation.actors import Actor, ActorKind
from foundation.errors import ConflictError, InvalidError
from foundation.identity import key_use
from foundation.identity.authentication import actor_of_key
from foundation.identity.models import ApiKey, Principal, PrincipalKind
from foundation.identity.services import create_api_key, create_service, revoke_api_key, suspend_principal
from tests.foundation.identity.household import Household, browser, make_household


def make_key(household: Household, **options: Any) -> tuple[ApiKey, str]:
    """A key of the owner."""
    with household.in_tenant():
        return create_api_key(actor=household.shell, principal=household.owner.principal, name="script", **options)


def ask(token: str, client: Client | None = None) -> dict[str, Any]:
    """Who one is with this key."""
    said: dict[str, Any] = (client or browser()).get("/who", headers={"Authorization": f"Bearer {token}"}).json()
    return said


def test_key_acts_as_its_principal(household: Household) -> None:
    """In its organisation only."""
    make_household("Other")
    said = ask(make_key(household)[1])
    assert (said["kind"], said["name"], said["method"]) == ("person", "Owner", "API key")
    assert said["sees"] == [household.organisation.slug]


def test_only_a_digest_is_kept(household: Household) -> None:
    """And the record names the prefix, never the key."""
    key, token = make_key(household)
    secret = token.rpartition("_")[2]
    assert token.startswith(f"rk_{key.prefix}_")
    assert len(secret) == 64
    assert secret not in str(key.__dict__)
    assert secret not in str([entry.__dict__ for entry in household.entries("key.create")])


@pytest.mark.parametrize("form", ["{}0", "{}\n0", "x{}", "rk_", "", "rk_0000000000_0", "\u00e9\u00e9_x_y", "{}\x00"])
def test_anything_else_is_nobody(household: Household, form: str) -> None:
    """Close is not enough."""
    token = make_key(household)[1]
    # One key in sixteen ends with the very character that is put in the place of its last one.
    for spoilt in {form.format(one) for one in (token, token.upper(), token[:-1])} - {token}:
        assert actor_of_key(spoilt) is None


def test_a_bad_key_never_falls_back_to_the_cookie(household: Household, visitor: Client) -> None:
    """A request says in one way only who it is."""
    visitor.get(household.link(household.owner))
    assert ask("rk_wrong_key", visitor)["kind"] == "anonymous"


def test_revoked_key_is_refused_and_recorded(household: Household) -> None:
    """At once, in the organisation's record."""
    key, token = make_key(household)
    with household.in_tenant():
        revoke_api_key(actor=household.shell, api_key=key)
        with pytest.raises(ConflictError):
            revoke_api_key(actor=household.shell, api_key=key)
    assert ask(token)["kind"] == "anonymous"
    refusal = household.entries("key.authenticate", "denied")[0]
    assert (refusal.reason, refusal.target_id) == ("The API key is revoked.", key.id)


def test_expired_key_is_refused(household: Household) -> None:
    """By the database's clock; one that has expired already is not made."""
    key, token = make_key(household, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert ask(token)["kind"] == "person"
    with connections["system"].cursor() as cursor:
        cursor.execute("UPDATE identity_apikey SET expires_at = now() WHERE id = %s", [key.id])
    assert ask(token)["kind"] == "anonymous"
    assert household.entries("key.authenticate", "denied")[0].reason == "The API key has expired."
    with pytest.raises(InvalidError, match="expired already"):
        make_key(household, expires_at=datetime.now(UTC) - timedelta(seconds=5))


def test_key_of_a_suspended_service_is_refused(household: Household) -> None:
    """Without revoking each of its keys."""
    with household.in_tenant():
        service = create_service(actor=household.shell, organisation=household.organisation, name="Robot")
        _, token = create_api_key(actor=household.shell, principal=service, name="k")
    assert ask(token)["kind"] == "service"
    with household.in_tenant():
        suspend_principal(actor=household.shell, principal=service, reason="runs wild")
    assert ask(token)["kind"] == "anonymous"


def test_use_is_noted_once_a_minute(household: Household) -> None:
    """So that reading does not write at every request."""
    key, token = make_key(household)
    ask(token)
    with household.in_tenant():
        first = ApiKey.objects.get(pk=key.pk).last_used_at
    ask(token)
    with household.in_tenant():
        assert ApiKey.objects.get(pk=key.pk).last_used_at == first
    assert first is not None
    key_use._written[key.pk] -= 61
    ask(token)
    with household.in_tenant():
        again = ApiKey.objects.get(pk=key.pk).last_used_at
    assert again is not None
    assert again > first


def person(household: Household) -> Actor:
    """The member, as an actor."""
    return Actor(
        kind=ActorKind.PERSON,
        name="Member",
        principal=household.member.principal_id,
        organisation=household.organisation.id,
    )


def test_nobody_makes_a_key_in_another_persons_name(household: Household) -> None:
    """It would act in that person's name."""
    with household.in_tenant(), pytest.raises(InvalidError, match="Only the person itself"):
        create_api_key(actor=person(household), principal=household.owner.principal, name="mine")
    with household.in_tenant():
        assert create_api_key(actor=person(household), principal=household.member.principal, name="mine")


def test_agents_have_no_keys_and_make_none(household: Household) -> None:
    """They act through their runs."""
    with household.in_tenant():
        agent = Principal.objects.create(organisation=household.organisation, kind=PrincipalKind.AGENT, name="Worker")
        with pytest.raises(InvalidError, match="agent"):
            create_api_key(actor=household.shell, principal=agent, name="k")
        acting = replace(person(household), kind=ActorKind.AGENT, principal=agent.id)
        with pytest.raises(InvalidError, match="agent"):
            create_api_key(actor=acting, principal=household.member.principal, name="k")


@pytest.mark.parametrize("scopes", [(), ("run.view", "agent.manage")])
def test_a_narrowed_key_makes_no_wider_one(household: Household, scopes: tuple[str, ...]) -> None:
    """Power only narrows."""
    narrow = replace(person(household), scopes=frozenset({"run.view", "key.manage"}))
    with household.in_tenant():
        with pytest.raises(InvalidError, match="wider"):
            create_api_key(actor=narrow, principal=household.member.principal, name="k", scopes=scopes)
        key, _ = create_api_key(actor=narrow, principal=household.member.principal, name="k", scopes=("run.view",))
    assert key.scopes == ["run.view"]


def test_scopes_reach_the_actor(household: Household) -> None:
    """None means no narrowing."""
    assert ask(make_key(household, scopes=("run.view",))[1])["scopes"] == ["run.view"]
    actor = actor_of_key(make_key(household)[1])
    assert actor is not None
    assert actor.scopes is None
