"""A person leaves for good: what hung on the person goes to a successor, or stops, and nothing works in its name."""

from typing import Any

import pytest
from django.test import Client

from agents.registry.models import Agent
from agents.registry.services import change_sponsor
from agents.schedules.models import Schedule, Trigger
from agents.schedules.offboarding import offboard_person
from agents.schedules.plans import Plan
from agents.schedules.services import create_schedule, create_trigger
from foundation.access.guards import RefusedError
from foundation.access.models import Grant
from foundation.access.people import leave, stop_person
from foundation.access.services import grant, withdraw
from foundation.audit.models import AuditEntry
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import Membership, Principal, PrincipalState
from foundation.identity.services import add_person
from foundation.organisations.models import GrantTarget
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["world"]
BUILDER = "builder"


@pytest.fixture
def leaver(world: World) -> Principal:
    """The builder, who answers for an agent and owns a schedule and a trigger."""
    with tenant(world.organisation.id):
        agent = Agent.objects.get(pk=world.things["agents"])
        change_sponsor(actor=world.shell, agent=agent, sponsor=world.people[BUILDER])
        plan = Plan(name="Rest", kind="cron", expression="0 * * * *", input="x")
        create_schedule(actor=world.actor("operator"), agent=agent, plan=plan)
        create_trigger(actor=world.actor("operator"), agent=agent, name="Other")
    return world.people[BUILDER]


def offboard(world: World, successor: str | None = "team-lead", by: str = "administrator", **more: Any) -> Principal:
    """The builder leaves."""
    with tenant(world.organisation.id):
        return offboard_person(
            actor=world.actor(by), person=world.people[BUILDER],
            successor=world.people[successor] if successor else None, reason="A new job.", **more,
        )  # fmt: skip


def told(world: World, action: str) -> int:
    """How often the record says it."""
    with tenant(world.organisation.id):
        return AuditEntry.objects.filter(action=action).count()


def test_everything_goes_to_the_successor_and_starts_nothing_unasked(world: World, leaver: Principal) -> None:
    assert world.api(BUILDER).get("/organisation").status_code == 200
    assert offboard(world).state == PrincipalState.LEFT
    successor = world.people["team-lead"]
    with tenant(world.organisation.id):
        assert Agent.objects.get(pk=world.things["agents"]).sponsor == successor
        schedule = Schedule.objects.get(pk=world.things["schedules"])
        assert (schedule.owner, schedule.enabled, schedule.next_at) == (successor, False, None)
        trigger = Trigger.objects.get(pk=world.things["triggers"])
        assert (trigger.owner, trigger.enabled) == (successor, False)
        others = Schedule.objects.exclude(pk=schedule.pk).get(), Trigger.objects.exclude(pk=trigger.pk).get()
        assert [(one.owner, one.enabled) for one in others] == [(world.people["operator"], True)] * 2
        assert not Grant.objects.filter(principal=leaver).exists()
        assert not Membership.objects.filter(principal=leaver).exists()
    assert world.api(BUILDER).get("/organisation").status_code == 401
    assert [told(world, f"{what}.hand_over") for what in ("schedule", "trigger")] == [1, 1]
    assert told(world, "person.offboard") == told(world, "person.leave") == 1


def test_a_successor_who_does_it_itself_keeps_everything_running(world: World, leaver: Principal) -> None:
    offboard(world, successor="administrator")
    with tenant(world.organisation.id):
        schedule = Schedule.objects.get(pk=world.things["schedules"])
        assert (schedule.owner, schedule.enabled) == (world.people["administrator"], True)
        assert schedule.next_at is not None
        assert Trigger.objects.get(pk=world.things["triggers"]).enabled


def test_without_a_successor_everything_stops(world: World, leaver: Principal) -> None:
    offboard(world, successor=None)
    with tenant(world.organisation.id):
        sponsor = Agent.objects.get(pk=world.things["agents"]).sponsor
        assert sponsor is not None
        assert sponsor.state == PrincipalState.LEFT  # ownerless: it starts nothing until somebody takes it over
        assert not Schedule.objects.get(pk=world.things["schedules"]).enabled
        assert not Trigger.objects.get(pk=world.things["triggers"]).enabled


def test_roles_go_along_only_when_asked_and_never_more_than_the_actor_holds(world: World, leaver: Principal) -> None:
    with tenant(world.organisation.id):
        team = GrantTarget.objects.get(pk=world.team.id)
        grant(actor=world.shell, principal=leaver, role="approver", target=team)
    offboard(world, successor="stranger", roles=True)
    with tenant(world.organisation.id):
        held = set(Grant.objects.filter(principal=world.people["stranger"]).values_list("role", "target_id"))
    assert held == {("approver", team.id), ("builder", world.organisation.id)}


def test_the_session_of_whoever_left_ends_here(world: World, leaver: Principal) -> None:
    with tenant(world.organisation.id):
        user = leaver.memberships.select_related("user").get().user
    client = Client()
    client.force_login(user, backend="foundation.identity.authentication.EmailBackend")
    assert client.get("/").status_code == 200
    offboard(world)
    assert client.get("/").status_code == 303


def test_who_left_may_be_added_anew_as_another_principal(world: World, leaver: Principal) -> None:
    with tenant(world.organisation.id):
        email = leaver.memberships.select_related("user").get().user.email
    offboard(world)
    with tenant(world.organisation.id):
        again = add_person(actor=world.shell, organisation=world.organisation, email=email, name="Again")
        with pytest.raises(ConflictError, match="has left already"):
            offboard_person(actor=world.shell, person=leaver, successor=None, reason="x")
    assert again.principal_id != leaver.id


@pytest.mark.parametrize("successor", ["builder", "suspended", "service"])
def test_only_an_active_person_succeeds(world: World, leaver: Principal, successor: str) -> None:
    with tenant(world.organisation.id):
        found = world.people.get(successor) or Principal.objects.get(pk=world.things["services"])
        if successor == "suspended":
            found = stop_person(actor=world.shell, principal=world.people["viewer"], reason="Away")
        with pytest.raises(InvalidError):
            offboard_person(actor=world.shell, person=leaver, successor=found, reason="x")


def test_the_last_administrator_and_oneself_stay(world: World) -> None:
    boss = world.people["administrator"]
    with tenant(world.organisation.id):
        for verb in (
            lambda: offboard_person(actor=world.shell, person=boss, successor=world.people["viewer"], reason="x"),
            lambda: leave(actor=world.actor("administrator"), principal=boss),
            lambda: stop_person(actor=world.shell, principal=boss, reason="x"),
        ):
            with pytest.raises(InvalidError, match="last administrator"):
                verb()
        root = GrantTarget.objects.get(pk=world.organisation.id)
        grant(actor=world.shell, principal=world.people["viewer"], role="administrator", target=root)
        with pytest.raises(InvalidError, match="cannot offboard yourself"):
            offboard_person(actor=world.actor("administrator"), person=boss, successor=None, reason="x")
        assert leave(actor=world.actor("administrator"), principal=boss).state == PrincipalState.LEFT
        with pytest.raises(InvalidError, match="last administrator"):
            withdraw(actor=world.shell, grant=Grant.objects.get(principal=world.people["viewer"], role="administrator"))


def test_whoever_may_not_manage_the_agents_hands_none_over(world: World, leaver: Principal) -> None:
    with pytest.raises(RefusedError, match=r"agent\.manage"):
        offboard(world, by="viewer")
    with tenant(world.organisation.id):
        assert Principal.objects.get(pk=leaver.pk).state == PrincipalState.ACTIVE
