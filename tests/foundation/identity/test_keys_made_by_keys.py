"""A key that was made by a key does not outlive it: not by its end, not by revocation, not by rotation."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from foundation.actors import Actor
from foundation.delegation.leaving import leave_for_good
from foundation.errors import ConflictError, InvalidError
from foundation.identity.authentication import actor_of_key
from foundation.identity.keys import rotate_api_key
from foundation.identity.models import ApiKey, Principal
from foundation.identity.services import create_api_key, create_service, revoke_api_key
from tests.foundation.identity.household import Household

HOUR = timedelta(hours=1)


def made(
    household: Household, actor: Actor, name: str = "child", principal: Principal | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:  # fmt: skip
    with household.in_tenant():
        holder = principal or household.owner.principal
        return create_api_key(actor=actor, principal=holder, name=name, expires_at=expires_at)


def acting(token: str) -> Actor:
    actor = actor_of_key(token)
    assert actor is not None
    return actor


def end_of(household: Household, key: ApiKey) -> datetime | None:
    with household.in_tenant():
        return ApiKey.objects.get(pk=key.pk).expires_at


def test_it_ends_with_its_maker_or_earlier(household: Household) -> None:
    ends = datetime.now(UTC) + HOUR
    maker, token = made(household, household.shell, "maker", expires_at=ends)
    child, _ = made(household, acting(token))
    assert (child.made_by_id, child.expires_at) == (maker.pk, ends)
    earlier, _ = made(household, acting(token), expires_at=ends - HOUR / 2)
    assert earlier.expires_at == ends - HOUR / 2
    with pytest.raises(InvalidError, match="ends later than itself") as refused:
        made(household, acting(token), expires_at=ends + HOUR)
    assert refused.value.field == "expires_at"


def test_it_is_revoked_with_its_maker_and_so_is_what_it_made_itself(household: Household) -> None:
    maker, token = made(household, household.shell, "maker")
    other, kept = made(household, household.shell, "other")
    child, of_child = made(household, acting(token))
    grandchild, of_grandchild = made(household, acting(of_child), "grandchild")
    with household.in_tenant():
        revoke_api_key(actor=household.shell, api_key=maker)
    assert [actor_of_key(one) for one in (token, of_child, of_grandchild)] == [None, None, None]
    assert acting(kept).key == other.pk
    assert {one.target_id for one in household.entries("key.revoke")} == {maker.pk, child.pk, grandchild.pk}


def test_a_key_that_was_revoked_meanwhile_makes_none(household: Household) -> None:
    maker, token = made(household, household.shell, "maker")
    actor = acting(token)
    with household.in_tenant():
        revoke_api_key(actor=household.shell, api_key=maker)
    with pytest.raises(ConflictError, match="is revoked"):
        made(household, actor)


def test_whoever_revokes_waits_for_a_key_that_is_being_made(household: Household) -> None:
    maker, token = made(household, household.shell, "maker")
    actor, is_made, may_commit = acting(token), threading.Event(), threading.Event()

    def make() -> str:
        try:
            with household.in_tenant():
                _, secret = create_api_key(actor=actor, principal=household.owner.principal, name="child")
                is_made.set()
                assert may_commit.wait(20)
            return secret
        finally:
            connections.close_all()

    def revoke() -> None:
        try:
            with household.in_tenant():
                revoke_api_key(actor=household.shell, api_key=maker)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        child = pool.submit(make)
        assert is_made.wait(20)
        revoked = pool.submit(revoke)
        with pytest.raises(TimeoutError):
            revoked.result(0.5)  # it waits for the maker's row
        may_commit.set()
        revoked.result(20)
        assert actor_of_key(child.result(20)) is None


def test_it_is_revoked_when_the_holder_of_its_maker_leaves(household: Household) -> None:
    with household.in_tenant():
        service = create_service(actor=household.shell, organisation=household.organisation, name="Robot")
        leaver = create_service(actor=household.shell, organisation=household.organisation, name="Leaver")
    _, token = made(household, household.shell, "maker", leaver)
    _, of_child = made(household, acting(token), principal=service)
    assert actor_of_key(of_child) is not None
    with household.in_tenant():
        leave_for_good(actor=household.shell, principal=leaver)
    assert actor_of_key(of_child) is None


def test_rotation_of_the_maker_brings_the_end_of_what_it_made_nearer(household: Household) -> None:
    maker, token = made(household, household.shell, "maker")
    child, of_child = made(household, acting(token))
    with household.in_tenant():
        rotate_api_key(actor=household.shell, api_key=maker, overlap=60)
    assert end_of(household, child) == end_of(household, maker)
    assert end_of(household, maker) is not None
    assert actor_of_key(of_child) is not None


def test_a_rotated_child_keeps_its_maker_and_the_bound(household: Household) -> None:
    ends = datetime.now(UTC) + HOUR
    maker, token = made(household, household.shell, "maker", expires_at=ends)
    child, _ = made(household, acting(token))
    with household.in_tenant():
        successor, of_successor = rotate_api_key(actor=household.shell, api_key=child)
        assert (successor.made_by_id, successor.expires_at) == (maker.pk, ends)
        with pytest.raises(InvalidError, match="ends later than itself"):
            rotate_api_key(actor=household.shell, api_key=successor, expires_at=ends + HOUR)
        revoke_api_key(actor=household.shell, api_key=maker)
    assert actor_of_key(of_successor) is None


def test_a_key_that_rotates_itself_gets_no_later_end_and_no_life_of_its_own(household: Household) -> None:
    ends = datetime.now(UTC) + HOUR
    first, token = made(household, household.shell, "first", expires_at=ends)
    with household.in_tenant():
        second, of_second = rotate_api_key(actor=acting(token), api_key=first, overlap=0)
        assert second.expires_at == ends
        third, of_third = rotate_api_key(actor=acting(of_second), api_key=second, overlap=60)
        assert third.expires_at == ends
        revoke_api_key(actor=household.shell, api_key=first)
    assert actor_of_key(of_third) is None


def test_a_person_rotates_what_has_rotated_itself(household: Household) -> None:
    first, token = made(household, household.shell, "first")
    with household.in_tenant():
        second, _ = rotate_api_key(actor=acting(token), api_key=first, overlap=0)
        third, of_third = rotate_api_key(actor=household.shell, api_key=second, overlap=0)
        assert (third.made_by_id, third.expires_at) == (None, None)
    assert acting(of_third).key == third.pk


def test_a_key_does_not_rotate_what_another_key_has_made(household: Household) -> None:
    _, token = made(household, household.shell, "maker")
    _, of_other = made(household, household.shell, "other")
    child, _ = made(household, acting(token))
    with household.in_tenant(), pytest.raises(InvalidError, match="Another key made this one"):
        rotate_api_key(actor=acting(of_other), api_key=child)
