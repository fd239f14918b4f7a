"""A key is rotated with an overlap: for a while both open, then only the successor."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from foundation.actors import Actor, ActorKind
from foundation.errors import ConflictError, InvalidError
from foundation.identity.authentication import actor_of_key
from foundation.identity.keys import rotate_api_key
from foundation.identity.models import ApiKey
from foundation.identity.services import create_api_key, create_service, revoke_api_key
from tests.foundation.identity.household import Household


def test_both_open_until_the_overlap_ends(household: Household) -> None:
    with household.in_tenant():
        former, old = create_api_key(
            actor=household.shell, principal=household.owner.principal, name="script", scopes=("run.view",)
        )
        made, new = rotate_api_key(actor=household.shell, api_key=former, overlap=3600)
        former.refresh_from_db()
    assert (made.name, made.scopes, made.principal_id) == (former.name, former.scopes, former.principal_id)
    assert former.successor_id == made.id
    assert former.expires_at is not None
    assert timedelta(minutes=59) < former.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    for token in (old, new):
        actor = actor_of_key(token)
        assert actor is not None
        assert actor.scopes == {"run.view"}
    with connections["system"].cursor() as cursor:
        cursor.execute("UPDATE identity_apikey SET expires_at = now() WHERE id = %s", [former.id])
    assert actor_of_key(old) is None
    assert actor_of_key(new) is not None
    entry = household.entries("key.rotate")[0]
    assert (entry.target_id, entry.details["successor"]) == (former.id, str(made.id))
    assert new not in str(entry.__dict__)


def test_without_an_overlap_the_former_ends_at_once(household: Household) -> None:
    with household.in_tenant():
        former, old = create_api_key(actor=household.shell, principal=household.owner.principal, name="script")
        rotate_api_key(actor=household.shell, api_key=former, overlap=0)
    assert actor_of_key(old) is None


def test_the_successor_lives_as_long_as_the_former_was_to_live(household: Household) -> None:
    ends = datetime.now(UTC) + timedelta(days=30)
    with household.in_tenant():
        former, _ = create_api_key(
            actor=household.shell, principal=household.owner.principal, name="script", expires_at=ends
        )
        made, _ = rotate_api_key(actor=household.shell, api_key=former)
        assert made.expires_at is not None
        assert abs(made.expires_at - ends) < timedelta(minutes=1)
        again, _ = rotate_api_key(actor=household.shell, api_key=made, expires_at=ends + timedelta(days=1))
        assert again.expires_at == ends + timedelta(days=1)


def test_what_is_over_or_was_rotated_is_not_rotated(household: Household) -> None:
    with household.in_tenant():
        former, _ = create_api_key(actor=household.shell, principal=household.owner.principal, name="script")
        with pytest.raises(InvalidError, match="0 to 30 days"):
            rotate_api_key(actor=household.shell, api_key=former, overlap=31 * 24 * 3600)
        made, _ = rotate_api_key(actor=household.shell, api_key=former)
        with pytest.raises(ConflictError, match="rotated already"):
            rotate_api_key(actor=household.shell, api_key=former)
        revoke_api_key(actor=household.shell, api_key=made)
        with pytest.raises(ConflictError, match="is revoked"):
            rotate_api_key(actor=household.shell, api_key=made)
        ApiKey.objects.filter(pk=former.pk).update(expires_at=datetime.now(UTC), successor=None)
        with pytest.raises(ConflictError, match="has expired"):
            rotate_api_key(actor=household.shell, api_key=former)


def test_nobody_rotates_the_key_of_another_person_nor_widens_it(household: Household) -> None:
    member = Actor(kind=ActorKind.PERSON, name="Member", principal=household.member.principal_id,
                   organisation=household.organisation.id)  # fmt: skip
    with household.in_tenant():
        former, _ = create_api_key(actor=household.shell, principal=household.owner.principal, name="script")
        with pytest.raises(InvalidError, match="Only the person itself can make a key"):
            rotate_api_key(actor=member, api_key=former)
        service = create_service(actor=household.shell, organisation=household.organisation, name="Robot")
        wide, _ = create_api_key(actor=household.shell, principal=service, name="wide")
        narrow = Actor(kind=ActorKind.SERVICE, name="Robot", principal=service.id,
                       organisation=household.organisation.id, scopes=frozenset({"run.view"}))  # fmt: skip
        with pytest.raises(InvalidError, match="cannot make a wider one"):
            rotate_api_key(actor=narrow, api_key=wide)
