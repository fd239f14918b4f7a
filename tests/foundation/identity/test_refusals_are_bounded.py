"""Whoever is refused again and again is told of in the record, with the number of tries, and cannot fill it."""

import pytest

from foundation.audit.models import AuditEntry
from foundation.identity.attempts import PER_ADDRESS, PER_EMAIL, TOLD, count_refused, is_told, source_of
from foundation.identity.authentication import actor_of_key
from foundation.identity.services import revoke_api_key
from foundation.ids import uuid7
from tests.foundation.identity.household import Household, browser
from tests.foundation.identity.test_api_keys import make_key

TRIES = 30


def told_from(address: str) -> list[AuditEntry]:
    """What the record of the installation says of refusals from there, oldest first."""
    entries = AuditEntry.objects.using("system").filter(action="key.authenticate", address__startswith=address)
    return list(entries.order_by("id"))


def nearly_all(source: str) -> None:
    """So many refusals of a source that two more are told one by one."""
    for _ in range(TOLD - 2):
        count_refused(source)


def test_unknown_keys_of_one_source(household: Household):
    here, elsewhere = f"here {uuid7()}", f"elsewhere {uuid7()}"
    nearly_all(f"address {here}")
    for _ in range(TRIES):
        assert actor_of_key("rk_unknown_key", address=here) is None
    assert [one.details.get("tries") for one in told_from(here)] == [None, None, 1024]
    assert actor_of_key("rk_unknown_key", address=elsewhere) is None
    assert len(told_from(elsewhere)) == 1


def test_one_network_is_one_source(household: Household):
    network = f"2001:db8:{uuid7().int % 65536:x}:{uuid7().int >> 16 & 65535:x}:"
    nearly_all(f"address {source_of(f'{network}:1')}")
    for number in range(TRIES):
        assert actor_of_key("rk_unknown_key", address=f"{network}:{number + 1:x}") is None
    assert len(told_from(network)) == 3


def test_a_revoked_key_in_its_own_record(household: Household):
    key, token = make_key(household)
    with household.in_tenant():
        revoke_api_key(actor=household.shell, api_key=key)
    nearly_all(f"key {key.id}")
    for number in range(TRIES):
        assert actor_of_key(token, address=f"10.0.0.{number}") is None
    told = household.entries("key.authenticate", "denied")
    assert [one.details.get("tries") for one in told] == [None, None, 1024]


def test_sign_in_that_was_tried_too_often(household: Household):
    email, client = household.user(household.owner).email, browser()
    for number in range(PER_EMAIL + 20):
        where = f"192.0.2.{number}"
        answer = client.post("/sign-in/", {"email": email, "password": "wrong"}, REMOTE_ADDR=where)
    assert answer.status_code == 429
    beyond = [one.details.get("beyond") for one in household.entries("person.sign_in", "denied")]
    assert beyond == [None] * PER_EMAIL + [1, 2, 4, 8, 16]


def test_who_has_a_network_has_no_more_attempts_than_one_address(household: Household):
    client, network = browser(), f"2001:db8:{uuid7().int % 65536:x}:{uuid7().int >> 16 & 65535:x}:"
    for number in range(PER_ADDRESS + 1):
        form = {"email": f"{uuid7()}@example.org", "password": "wrong"}
        answer = client.post("/sign-in/", form, REMOTE_ADDR=f"{network}:{number + 1:x}")
    assert answer.status_code == 429


@pytest.mark.parametrize(
    ("address", "source"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("fe80::1%lo", "fe80::/64"), ("", ""),
     ("a word", "a word"), ("::ffff:192.0.2.7", "192.0.2.7")],
)  # fmt: skip
def test_sources(address: str, source: str):
    assert source_of(address) == source


def test_of_many_refusals_few_are_told():
    assert sum(map(is_told, range(1, 1_000_001))) == TOLD + 10
