"""Signing in with e-mail address and password."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import global_settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.db import connections
from django.test import Client

from config import settings as product
from foundation.audit.models import AuditEntry
from foundation.identity.attempts import PER_ADDRESS, allow_attempt
from foundation.identity.models import User
from foundation.identity.services import suspend_principal
from foundation.ids import uuid7
from tests.foundation.identity.household import PASSWORD, Household, browser


def sign_in(client: Client, email: str, password: str = PASSWORD, address: str = "127.0.0.1") -> Any:
    """Send the form."""
    return client.post("/sign-in/", {"email": email, "password": password}, REMOTE_ADDR=address)


def test_right_password_signs_in(household: Household, visitor: Client) -> None:
    """The actor is the person, in its organisation, and the record says how it came in."""
    email = household.user(household.owner).email
    assert sign_in(visitor, email).content == b"welcome"
    said = visitor.get("/who").json()
    assert said["kind"] == "person"
    assert said["method"] == "password"
    assert said["sees"] == [household.organisation.slug]
    entry = household.entries("person.sign_in")[0]
    assert (entry.actor_id, entry.method, entry.address) == (household.owner.principal_id, "password", "127.0.0.1")


def test_address_may_be_written_in_any_case(household: Household, visitor: Client) -> None:
    """Addresses of mail are compared without case."""
    assert sign_in(visitor, household.user(household.owner).email.upper()).status_code == 200


def test_wrong_password_and_unknown_address_sound_alike(household: Household, visitor: Client) -> None:
    """Nobody learns who is here; the organisation's record holds the try on a person of its own."""
    email = household.user(household.owner).email
    wrong, unknown = sign_in(visitor, email, "wrong"), sign_in(visitor, f"{uuid7()}@example.org", "wrong")
    assert wrong.status_code == unknown.status_code == 400
    assert wrong.content == unknown.content
    assert len(household.entries("person.sign_in", "denied")) == 1
    assert visitor.get("/who").json()["kind"] == "anonymous"


def test_try_on_an_unknown_address_is_in_the_installations_record(household: Household, visitor: Client) -> None:
    """It belongs to no organisation. The address itself can be erased later, so the entry does not hold it."""
    email = f"{uuid7()}@example.org"
    sign_in(visitor, email, "wrong")
    last = AuditEntry.objects.using("system").filter(organisation_id=None, action="person.sign_in").first()
    assert last is not None
    assert last.body_digest.startswith("sha256:")
    assert email not in str(last.__dict__)


def test_suspended_person_is_refused(household: Household, visitor: Client) -> None:
    """Even with the right password."""
    with household.in_tenant():
        suspend_principal(actor=household.shell, principal=household.member.principal, reason="left us")
    answer = sign_in(visitor, household.user(household.member).email)
    assert answer.status_code == 400
    assert b"suspended" in answer.content


def test_session_key_changes_at_sign_in(household: Household, visitor: Client) -> None:
    """Whoever planted a session before does not share it afterwards."""
    sign_in(visitor, household.user(household.owner).email)
    before = visitor.cookies["remit_session"].value
    sign_in(visitor, household.user(household.member).email)
    assert visitor.cookies["remit_session"].value != before


def test_too_many_tries_are_refused_however_they_come(household: Household) -> None:
    """After ten wrong ones even the right password waits; another person is not touched by it."""
    email, other = household.user(household.owner).email, household.user(household.member).email
    for last in range(10):
        assert sign_in(browser(), email, "wrong", f"10.0.0.{last}").status_code == 400
    refused = sign_in(browser(), email)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 15 * 60
    assert sign_in(browser(), other).status_code == 200
    assert household.entries("person.sign_in", "denied")[-1].reason.startswith("Too many attempts")


def test_parallel_tries_are_counted_together(household: Household, database: Any) -> None:
    """Of thirty at once, ten at most reach the password."""
    email = household.user(household.owner).email

    def guess(number: int) -> int:
        try:
            with database():
                return int(sign_in(browser(), email, "wrong", f"10.0.1.{number}").status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(guess, range(30))) == [400] * 10 + [429] * 20


def test_one_address_cannot_try_everybody(household: Household) -> None:
    """Sixty failures in a quarter of an hour, whoever they are on; successes between them change nothing."""
    email = household.user(household.owner).email
    for _ in range(PER_ADDRESS - 1):
        allow_attempt("", "10.0.2.1")
    assert sign_in(browser(), email, address="10.0.2.1").status_code == 200
    assert sign_in(browser(), email, "wrong", "10.0.2.1").status_code == 400
    assert sign_in(browser(), email, address="10.0.2.1").status_code == 429


def test_success_forgives_earlier_failures(household: Household) -> None:
    """Only tries in a row count on a person."""
    email = household.user(household.owner).email
    for turn in range(3):
        for _ in range(6):
            sign_in(browser(), email, "wrong", f"10.0.3.{turn}")
        assert sign_in(browser(), email).status_code == 200


def test_passwords_are_slow_to_guess() -> None:
    """The product keeps Django's own choice, with no fewer rounds than OWASP asks for; only tests hash quickly."""
    assert not hasattr(product, "PASSWORD_HASHERS")
    assert global_settings.PASSWORD_HASHERS[0] == "django.contrib.auth.hashers.PBKDF2PasswordHasher"
    assert PBKDF2PasswordHasher.iterations >= 600_000


def test_weaker_hash_is_renewed(household: Household, visitor: Client) -> None:
    """A hash made with fewer rounds is replaced at the next sign-in, which lasts."""
    user = household.user(household.owner)
    weak = make_password(PASSWORD, hasher="pbkdf2_sha1")
    with connections["system"].cursor() as cursor:
        cursor.execute("UPDATE identity_user SET password = %s WHERE id = %s", [weak, user.id])
    assert sign_in(visitor, user.email).status_code == 200
    assert User.objects.using("system").get(pk=user.pk).password.startswith("pbkdf2_sha256$")
    assert visitor.get("/who").json()["kind"] == "person"
