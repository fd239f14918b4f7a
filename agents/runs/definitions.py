"""What an organisation has defined, kept for as long as nothing of it changes: agents, tools, models, prices, people.

A copy is known by its configuration number, which the database counts up with every change. Nobody trusts a copy: the
gate compares the number in the transaction of each act, and an act that was planned with an older one is planned anew.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db import connections
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from agents.catalogue.models import LanguageModel, Price
from agents.registry.models import Agent, AgentVersion
from agents.runs.clock import clock
from agents.runs.journal import ENGINE, release_connection
from agents.tools.models import Tool
from foundation.delegation.effective import line_of
from foundation.delegation.models import DelegationGrant
from foundation.identity.models import Principal, PrincipalKind
from foundation.organisations.models import GrantTarget, Organisation, Team

_T = TypeVar("_T")

_KEPT = 512  # organisations
_PATIENCE = 0.5  # seconds
_NUMBER = "SELECT number FROM organisations_configuration WHERE organisation_id = %s"


@contextmanager
def _one_asks(lock: threading.RLock) -> Iterator[None]:
    """One asks the database, the others hear of it: a worker that takes over has fifty runs that all ask at once.

    Whoever has waited for long asks by itself: it may hold the connection that the one who asks is waiting for.
    """
    is_alone = lock.acquire(timeout=_PATIENCE)
    try:
        yield
    finally:
        if is_alone:
            lock.release()


class Definitions:
    """One organisation's definitions as of a configuration number; each is read when first asked for."""

    def __init__(self, organisation: UUID, number: int) -> None:
        self.organisation, self.number = organisation, number
        self._kept: dict[Hashable, Any] = {}
        self._reading = threading.RLock()

    def agent(self, identifier: UUID) -> Agent:
        """An agent with its sponsor and serving version."""
        return self.once(("agent", identifier), lambda: self._agents().get(pk=identifier))

    def agents_named(self, slugs: Sequence[str]) -> dict[str, Agent]:
        """Agents by slug, with their sponsors and serving versions."""
        return self.once(("agents", *slugs), lambda: self._by_slug(slugs)) if slugs else {}

    def agents_among(self, identifiers: tuple[UUID, ...]) -> list[Agent]:
        """The agents among these principals."""
        if not identifiers:
            return []
        return self.once(("among", identifiers), lambda: list(self._agents().filter(pk__in=identifiers)))

    def version(self, identifier: UUID) -> AgentVersion:
        """A version of an agent."""
        rows = AgentVersion.objects
        return self.once(("version", identifier), lambda: rows.using(ENGINE).get(pk=identifier))

    def language_model(self, identifier: UUID) -> LanguageModel:
        """A model with its provider."""
        rows = LanguageModel.objects
        return self.once(
            ("model", identifier), lambda: rows.using(ENGINE).select_related("provider").get(pk=identifier)
        )

    def price(self, model: UUID) -> Price | None:
        """What a model costs now in the organisation's currency, or None when nobody said."""
        known = self.once(("prices", model), lambda: self._prices(model))
        if not known:
            return None
        now = clock.now()
        return next((price for price, has_begun in known if has_begun or price.since <= now), None)

    def tools_named(self, names: Sequence[str]) -> dict[str, Tool]:
        """Tools by name, with their connectors and what these are called with."""
        return self.once(("tools", *names), lambda: self._tools(names)) if names else {}

    def principals(self, identifiers: tuple[UUID, ...]) -> dict[UUID, tuple[str, str]]:
        """Names and states of principals; whom nobody knows is left out."""
        return self.once(("principals", identifiers), lambda: self._principals(identifiers))

    def people_among(self, identifiers: tuple[UUID, ...]) -> frozenset[UUID]:
        """The people among these principals."""
        return self.once(("people", identifiers), lambda: self._people(identifiers))

    def delegations(self, identifier: UUID) -> list[DelegationGrant]:
        """A delegation, and those that it rests on; empty if there is none."""
        return self.once(("delegations", identifier), lambda: self._delegations(identifier))

    def lineage(self, target: UUID) -> tuple[UUID, ...]:
        """The ids of a thing and of all above it, along which grants and budgets are inherited."""
        return self.once(("lineage", target), lambda: self._lineage(target))

    def team_slugs(self, team: UUID) -> tuple[str, ...]:
        """The slugs of a team and of those above it, nearest first."""
        return self.once(("teams", team), lambda: self._team_slugs(team))

    def once(self, key: Hashable, read: Callable[[], _T]) -> _T:
        """What `read` gives, which follows from these definitions alone: it is read when first asked for."""
        try:
            return cast("_T", self._kept[key])
        except KeyError:
            with _one_asks(self._reading):
                if key not in self._kept:
                    self._kept[key] = read()
                    release_connection()
            return cast("_T", self._kept[key])

    def _agents(self) -> QuerySet[Agent]:
        rows = Agent.objects.using(ENGINE).filter(organisation_id=self.organisation)
        return rows.select_related("sponsor", "serving").order_by("slug")

    def _by_slug(self, slugs: Sequence[str]) -> dict[str, Agent]:
        return {agent.slug: agent for agent in self._agents().filter(slug__in=slugs)}

    def _prices(self, model: UUID) -> list[tuple[Price, bool]]:
        """The newest first, and whether each was in force when it was read: our clock may be behind the database's."""
        currency = Organisation.objects.using(ENGINE).values_list("currency", flat=True).get(pk=self.organisation)
        rows = Price.objects.using(ENGINE).filter(organisation_id=self.organisation, language_model=model)
        rows = rows.filter(currency=currency).order_by("-since", "-id")
        begun = ExpressionWrapper(Q(since__lte=Now()), output_field=BooleanField())
        return [(one, vars(one)["has_begun"]) for one in rows.annotate(has_begun=begun)]

    def _tools(self, names: Sequence[str]) -> dict[str, Tool]:
        rows = Tool.objects.using(ENGINE).filter(organisation_id=self.organisation, name__in=names)
        return {tool.name: tool for tool in rows.select_related("connector__credential").order_by("name")}

    def _principals(self, identifiers: tuple[UUID, ...]) -> dict[UUID, tuple[str, str]]:
        rows = Principal.objects.using(ENGINE).filter(organisation_id=self.organisation, pk__in=identifiers)
        return {pk: (name, state) for pk, name, state in rows.values_list("pk", "name", "state")}

    def _people(self, identifiers: tuple[UUID, ...]) -> frozenset[UUID]:
        rows = Principal.objects.using(ENGINE).filter(organisation_id=self.organisation, pk__in=identifiers)
        return frozenset(rows.filter(kind=PrincipalKind.PERSON).values_list("pk", flat=True))

    def _delegations(self, identifier: UUID) -> list[DelegationGrant]:
        rows = DelegationGrant.objects.using(ENGINE).filter(organisation_id=self.organisation, pk=identifier)
        found = rows.select_related("giver", "receiver").first()
        return line_of(found, ENGINE) if found is not None else []

    def _lineage(self, target: UUID) -> tuple[UUID, ...]:
        rows = GrantTarget.objects.using(ENGINE).filter(organisation_id=self.organisation)
        return tuple(rows.values_list("lineage", flat=True).get(pk=target))

    def _team_slugs(self, team: UUID) -> tuple[str, ...]:
        lineage = self.lineage(team)
        slugs = dict(Team.objects.using(ENGINE).filter(pk__in=lineage).values_list("id", "slug"))
        return tuple(slugs[one] for one in lineage if one in slugs)


class _Known:
    """The newest definitions of each organisation that this process has heard of."""

    def __init__(self) -> None:
        self._lock, self._asking = threading.Lock(), threading.RLock()
        self._newest: OrderedDict[UUID, Definitions] = OrderedDict()

    def get(self, organisation: UUID) -> Definitions:
        with self._lock:
            found = self._newest.get(organisation)
        return found if found is not None else self._ask(organisation)

    def _ask(self, organisation: UUID) -> Definitions:
        with _one_asks(self._asking):
            found = self._newest.get(organisation)
            if found is not None:
                return found
            with connections[ENGINE].cursor() as cursor:
                cursor.execute(_NUMBER, [organisation])
                row = cursor.fetchone()
            release_connection()
            return self.hear(organisation, row[0] if row else 0)

    def hear(self, organisation: UUID, number: int) -> Definitions:
        with self._lock:
            found = self._newest.get(organisation)
            if found is None or found.number < number:
                found = self._newest[organisation] = Definitions(organisation, number)
                while len(self._newest) > _KEPT:
                    self._newest.popitem(last=False)
            return found


_known = _Known()


def definitions_of(organisation: UUID) -> Definitions:
    """The newest definitions known here; they may be behind, and the gate tells."""
    return _known.get(organisation)


def heard_of(organisation: UUID, number: int) -> None:
    """The database has said which configuration is in force."""
    _known.hear(organisation, number)
