"""People and services of an organisation."""

from dataclasses import replace

import pytest
from django.db import connections

from foundation.actors import Actor, ActorKind
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import User
from foundation.identity.services import (
    add_person,
    change_password,
    create_service,
    restore_principal,
    suspend_principal,
)
from foundation.tenancy.context import tenant
from tests.foundation.identity.household import Household, make_household


def test_person_of_two_organisations_is_one_user(household: Household) -> None:
    """And neither organisation learns of the other."""
    other = make_household("Other")
    email = household.user(household.owner).email
    with tenant(other.organisation.id):
        added = add_person(actor=other.shell, organisation=other.organisation, email=email.upper(), name="O.")
    assert added.user_id == household.owner.user_id
    with tenant(other.organisation.id):
        seen = set(User.objects.values_list("id", flat=True))
    assert seen == {other.owner.user_id, other.member.user_id, added.user_id}


def test_person_is_added_once(household: Household) -> None:
    """A second time says so."""
    email = household.user(household.owner).email
    with household.in_tenant(), pytest.raises(ConflictError, match="already"):
        add_person(actor=household.shell, organisation=household.organisation, email=email, name="Again")


@pytest.mark.parametrize(("email", "name", "field"), [("no address", "A", "email"), ("a@b", "A", "email"),
                                                      ("a@b.example", " ", "name"), ("a@b.example", "A\x00", "name"),
                                                      ("a@b.example", "A" * 121, "name")])  # fmt: skip
def test_bad_input_is_refused_at_its_field(household: Household, email: str, name: str, field: str) -> None:
    """With a message for people."""
    with household.in_tenant(), pytest.raises(InvalidError) as error:
        add_person(actor=household.shell, organisation=household.organisation, email=email, name=name)
    assert error.value.field == field


def test_new_person_has_no_password(household: Household) -> None:
    """There is no default one."""
    with household.in_tenant():
        added = add_person(
            actor=household.shell, organisation=household.organisation, email="fresh@example.org", name="Fresh"
        )
    assert not household.user(added).has_usable_password()


def test_suspend_and_restore(household: Household) -> None:
    """Both with an entry; twice is a conflict; a reason is needed."""
    principal = household.principal(household.member)
    with household.in_tenant():
        with pytest.raises(InvalidError):
            suspend_principal(actor=household.shell, principal=principal, reason=" ")
        suspend_principal(actor=household.shell, principal=principal, reason="left")
        with pytest.raises(ConflictError):
            suspend_principal(actor=household.shell, principal=principal, reason="left")
        restore_principal(actor=household.shell, principal=principal)
        with pytest.raises(ConflictError):
            restore_principal(actor=household.shell, principal=principal)
    assert household.entries("person.suspend")[0].reason == "left"
    assert household.entries("person.restore")


def acting(household: Household) -> Actor:
    """The owner."""
    return Actor(
        kind=ActorKind.PERSON,
        name="Owner",
        principal=household.owner.principal_id,
        organisation=household.organisation.id,
        user=household.owner.user_id,
    )


def test_nobody_suspends_oneself(household: Household) -> None:
    """It would lock an administrator out by mistake."""
    with household.in_tenant(), pytest.raises(InvalidError, match="yourself"):
        suspend_principal(actor=acting(household), principal=household.owner.principal, reason="oops")


def test_agents_change_nobody(household: Household) -> None:
    """Neither people nor services."""
    agent = replace(acting(household), kind=ActorKind.AGENT, principal=None)
    with household.in_tenant():
        for attempt in (
            lambda: add_person(actor=agent, organisation=household.organisation, email="a@b.example", name="A"),
            lambda: create_service(actor=agent, organisation=household.organisation, name="S"),
            lambda: suspend_principal(actor=agent, principal=household.member.principal, reason="why not"),
        ):
            with pytest.raises(InvalidError, match="agent"):
                attempt()


def test_password_is_changed_by_the_person_alone(household: Household) -> None:
    """Weak ones are refused; of another person it is not possible, whatever one's role."""
    user = household.user(household.owner)
    with household.in_tenant():
        with pytest.raises(InvalidError, match="12"):
            change_password(actor=acting(household), user=user, password="short")
        change_password(actor=acting(household), user=user, password="quite another long walk")
        with pytest.raises(InvalidError, match="Only the person"):
            change_password(
                actor=acting(household), user=household.user(household.member), password="quite another long walk"
            )
    assert household.user(household.owner).check_password("quite another long walk")
    assert household.entries("person.change_password")[-1].actor_name == "Owner"


def test_serving_role_cannot_touch_another_users_row(household: Household) -> None:
    """The database refuses what the application would have forgotten."""
    with household.in_tenant(), connections["default"].cursor() as cursor:
        cursor.execute("SELECT set_config('remit.user', %s, true)", [str(household.owner.user_id)])
        cursor.execute("UPDATE identity_user SET name = 'taken' WHERE id = %s", [household.member.user_id])
        assert cursor.rowcount == 0
        cursor.execute("UPDATE identity_user SET name = 'mine' WHERE id = %s", [household.owner.user_id])
        assert cursor.rowcount == 1
