"""Which changes of people count as changes of what the organisation has defined, by which acts are judged."""

from foundation.identity.services import add_person, create_service, restore_principal, suspend_principal
from foundation.ids import uuid7
from foundation.organisations.models import Configuration
from tests.foundation.identity.household import Household


def test_whoever_is_new_counts_nothing(household: Household) -> None:
    """Nobody could have read anything about them: a directory that sends its people disturbs no run."""
    with household.in_tenant():
        before = number(household)
        add_person(
            actor=household.shell, organisation=household.organisation, email=f"{uuid7()}@example.org", name="New"
        )
        create_service(actor=household.shell, organisation=household.organisation, name="Directory")
        assert number(household) == before


def test_whoever_is_suspended_or_comes_back_counts(household: Household) -> None:
    with household.in_tenant():
        before = number(household)
        suspend_principal(actor=household.shell, principal=household.member.principal, reason="Away.")
        suspended = number(household)
        restore_principal(actor=household.shell, principal=household.member.principal)
        assert before < suspended < number(household)


def number(household: Household) -> int:
    found = Configuration.objects.filter(organisation=household.organisation).first()
    return found.number if found else 0
