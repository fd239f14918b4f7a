"""Signing in with a link from the shell."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from foundation.actors import ActorKind
from foundation.errors import InvalidError
from foundation.identity.authentication import actor_of_session
from foundation.identity.models import SignInLink
from foundation.identity.services import create_sign_in_link
from tests.foundation.identity.household import Household, browser


def test_link_signs_in_once(household: Household, visitor: Client) -> None:
    """The second use is refused and recorded."""
    path = household.link(household.owner)
    assert visitor.get(path).content == b"welcome"
    assert visitor.get("/who").json()["method"] == "sign-in link"
    assert browser().get(path).status_code == 400


def test_only_a_digest_is_kept(household: Household) -> None:
    """Whoever reads the table cannot sign in."""
    token = household.link(household.owner).split("/")[-2]
    kept = SignInLink.objects.using("system").filter(user_id=household.owner.user_id).get()
    assert len(token) >= 43
    assert token not in str(kept.__dict__)


def test_making_a_link_is_recorded_in_the_persons_organisation(household: Household) -> None:
    """Its administrators see that somebody with the shell could sign in as the person."""
    household.link(household.owner)
    entry = household.entries("person.sign_in_link")[0]
    assert (entry.actor_name, entry.method, entry.target_id) == ("shell", "shell", household.owner.user_id)


def test_old_link_is_refused(household: Household, visitor: Client) -> None:
    """By the database's clock."""
    path = household.link(household.owner)
    with connections["system"].cursor() as cursor:
        cursor.execute(
            "UPDATE identity_signinlink SET expires_at = now() - interval '1 second' WHERE user_id = %s",
            [household.owner.user_id],
        )
    assert visitor.get(path).status_code == 400


def test_of_many_at_once_one_gets_in(household: Household, database: Any) -> None:
    """A race for one link has one winner."""
    path = household.link(household.owner)

    def use(_: int) -> int:
        try:
            with database():
                return int(browser().get(path).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(use, range(8))) == [200] + [400] * 7


def test_a_person_cannot_make_one(household: Household, visitor: Client) -> None:
    """Only the shell."""
    visitor.get(household.link(household.owner))
    actor = actor_of_session(visitor.session)
    assert actor is not None
    assert actor.kind is ActorKind.PERSON
    with pytest.raises(InvalidError, match="shell"):
        create_sign_in_link(actor=actor, user=household.user(household.member))
