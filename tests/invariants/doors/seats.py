"""Who asks: one person for each role in each place, with key and browser, and those who are let in no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

from django.conf import settings
from django.db import transaction
from django.test import Client

from foundation.access.models import Grant
from foundation.access.roles import ROLES
from foundation.access.services import grant
from foundation.audit.models import AuditEntry
from foundation.identity.lookups import see_as_user
from foundation.identity.models import Principal, User
from foundation.identity.services import add_person, create_api_key, revoke_api_key, suspend_principal
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget, Team
from foundation.organisations.services import create_team
from foundation.tenancy.context import enter, tenant
from governance.budgets.services import set_budget
from tests.foundation.api.world import EURO, Api, World
from tests.invariants.doors.places import Place


@dataclass
class Seat:
    """Somebody: a role (or none) in a place, with a key; `world` is the organisation that they act in."""

    world: World
    role: str
    principal: Principal
    user: User
    key: str

    @property
    def api(self) -> Api:
        """The API with their key."""
        return Api(self.key)

    @cached_property
    def session(self) -> str:
        """The cookie of a browser that has signed in."""
        client = Client()
        with transaction.atomic():
            see_as_user(self.user.id)
            client.force_login(self.user, backend="foundation.identity.authentication.EmailBackend")
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    def visit(self, method: str, address: str) -> Any:
        """Ask for a page, with a browser as it was when it had signed in."""
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = self.session
        return client.generic(method, address)


@dataclass
class Seats:
    """Everybody of a matrix. `shut` are those who were let in once: their keys by what happened to them."""

    ours: World
    theirs: World
    taken: dict[tuple[str, Place], Seat] = field(default_factory=dict)
    shut: dict[str, str] = field(default_factory=dict)
    suspended: Seat | None = None


def take(ours: World, theirs: World) -> Seats:
    """Everybody, once for all tests of a module: what is asked from their seats is undone."""
    seats = Seats(ours, theirs)
    for role, place in product([*ROLES, "stranger"], Place):
        world = theirs if place is Place.OTHER_ORGANISATION else ours
        if place in {Place.ORGANISATION, Place.OTHER_ORGANISATION}:
            seats.taken[role, place] = seat_of(world, role)
        elif role in ROLES:
            seats.taken[role, place] = _seat(world, role, _team(world, place))
    _hang(seats)
    seats.suspended = _seat(ours, "administrator", ours.organisation.id)
    for seat in (*seats.taken.values(), seats.suspended):
        assert seat.session
    with tenant(ours.organisation.id):
        suspend_principal(actor=ours.shell, principal=seats.suspended.principal, reason="Away.")
        gone, revoked = create_api_key(actor=ours.shell, principal=ours.people["administrator"], name="gone")
        revoke_api_key(actor=ours.shell, api_key=gone)
    seats.shut = {"expired": ours.expired, "revoked": revoked, "suspended": seats.suspended.key,
                  "made up": "rmt_" + "x" * 40}  # fmt: skip
    return seats


def _hang(seats: Seats) -> None:
    """A budget and a grant of the team in place of the organisation's, so that all that can hang on a team does."""
    ours = seats.ours
    with tenant(ours.organisation.id):
        budget = set_budget(actor=ours.shell, scope="team", scope_id=ours.team.id, target=ours.team.target,
                            currency="EUR", limit=EURO)  # fmt: skip
        given = Grant.objects.get(principal=seats.taken["viewer", Place.OWN_TEAM].principal)
    ours.things |= {"budgets": budget.id, "grants": given.id}


def _team(world: World, place: Place) -> Any:
    if place is Place.OWN_TEAM:
        return world.team.id
    with tenant(world.organisation.id):
        found = Team.objects.filter(slug="aside").first()
        made = found or create_team(actor=world.shell, organisation=world.organisation, slug="aside", name="Aside",
                                    parent=None)  # fmt: skip
    return made.id


def _seat(world: World, role: str, target: Any) -> Seat:
    with tenant(world.organisation.id):
        person = add_person(actor=world.shell, organisation=world.organisation, email=f"{uuid7()}@example.org",
                            name=f"{role} aside").principal  # fmt: skip
        grant(actor=world.shell, principal=person, role=role, target=GrantTarget.objects.get(pk=target))
        key = create_api_key(actor=world.shell, principal=person, name="k")[1]
    return Seat(world, role, person, _user(world, person), key)


def seat_of(world: World, role: str) -> Seat:
    """Who has a role on a whole organisation."""
    person = world.people[role]
    return Seat(world, role, person, _user(world, person), world.keys[role])


def _user(world: World, person: Principal) -> User:
    with tenant(world.organisation.id):
        return person.memberships.select_related("user").get().user


@contextmanager
def undone() -> Iterator[None]:
    """What is done inside never happened: so everybody asks for everything of the same untouched world."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # as Django's own tests: refusals are written inside
    with block:
        yield
        transaction.set_rollback(True)


def refusals(world: World, since: Any) -> list[AuditEntry]:
    """What the record holds of refusals in an organisation since an id was made."""
    enter(world.organisation.id)
    return list(AuditEntry.objects.in_organisation(world.organisation.id).filter(id__gt=since, outcome="denied"))
