"""An organisation with as many agents and runs as one likes, in a hundred teams, and people who see much or little.

The newer half of the agents is in the first fifty teams, the older half in the others. Who sees one per cent has a role
on one of the former; who is skewed on all of the latter: half of everything, and nothing recent. Who sees one per cent
by single grants has one on every hundredth agent.
"""

import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from guardian.core import ObjectPermissionChecker

from agents.registry.models import Agent
from agents.runs.models import Run
from agents.runs.services import start_run
from foundation.access.models import permissions_on
from foundation.access.pages import first_rows
from foundation.access.services import grant
from foundation.actors import Actor, ActorKind, shell_actor
from foundation.identity.lookups import see_as_user, user_by_id
from foundation.identity.services import add_person
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget
from foundation.organisations.services import create_team
from foundation.tenancy.context import enter
from tests.foundation.api.world import furnish, make_organisation

TEAMS = 100
_ID = "(lpad(to_hex(1700000000000 + {n}), 12, '0') || '7000' || '8' || lpad(to_hex({n}), 15, '0'))::uuid"
_FILL = f"""
SET session_replication_role = replica;
DELETE FROM runs_place WHERE run_id <> %(run)s; DELETE FROM runs_run WHERE id <> %(run)s;
DELETE FROM registry_agent WHERE id <> %(agent)s;
DELETE FROM organisations_granttarget WHERE kind = 'agent' AND id <> %(agent)s;
CREATE TEMP TABLE made ON COMMIT DROP AS
    SELECT n, {_ID.format(n="n")} AS id,
        (%(teams)s::uuid[])[1 + n %% 50 + CASE WHEN n * 2 < %(size)s THEN 50 ELSE 0 END] AS team
    FROM generate_series(0, %(size)s - 1) n;
INSERT INTO organisations_granttarget (id, organisation_id, kind, name, lineage)
    SELECT id, %(organisation)s, 'agent', 'Agent ' || n, ARRAY[%(organisation)s::uuid, team, id] FROM made;
INSERT INTO registry_agent SELECT p.* FROM made m, registry_agent a,
    LATERAL jsonb_populate_record(a, jsonb_build_object(
        'id', m.id, 'target_id', m.id, 'principal_id', m.id, 'team_id', m.team, 'slug', 'agent-' || m.n)) p
    WHERE a.id = %(agent)s;
INSERT INTO runs_run SELECT p.* FROM made m, runs_run r, LATERAL jsonb_populate_record(r, jsonb_build_object(
    'id', m.id, 'agent_id', m.id, 'target_id', m.id, 'root_id', m.id)) p WHERE r.id = %(run)s;
INSERT INTO runs_place (organisation_id, node_id, run_id)
    SELECT %(organisation)s, x.node, m.id FROM made m, LATERAL (VALUES (m.id), (m.team)) x(node);
"""


class World:
    """The organisation. `superuser` is the address that fills it."""

    def __init__(self, superuser: str) -> None:
        self._superuser = superuser
        world = furnish(make_organisation("many"))
        self.organisation = world.organisation.id
        shell = shell_actor(self.organisation)
        with transaction.atomic():
            enter(self.organisation)
            self._agent = Agent.objects.get(slug="clerk")
            self._run = start_run(actor=shell, agent=self._agent, title="One of many", input="x")
            self.teams = [
                create_team(actor=shell, organisation=world.organisation, slug=f"team-{n}", name=f"Team {n}")
                for n in range(TEAMS)
            ]
            root = GrantTarget.objects.get(pk=self.organisation)
            sees = {"everything": [root], "one per cent": [self.teams[0].target],
                    "skewed": [team.target for team in self.teams[50:]], "one per cent singly": []}  # fmt: skip
            self.viewers: dict[str, Actor] = {}
            for name, targets in sees.items():
                member = add_person(
                    actor=shell, organisation=world.organisation, email=f"{uuid7()}@example.org", name=name
                )
                for target in targets:
                    grant(actor=shell, principal=member.principal, role="viewer", target=target)
                self.viewers[name] = Actor(
                    kind=ActorKind.PERSON, name=name, principal=member.principal_id, organisation=self.organisation,
                    user=member.user_id,
                )  # fmt: skip

    def fill(self, size: int) -> float:
        """So many agents, and a run of each; the seconds that it took."""
        begun = time.perf_counter()
        values = {"size": size, "organisation": self.organisation, "agent": self._agent.id, "run": self._run.id,
                  "teams": [team.id for team in self.teams]}  # fmt: skip
        singly = self.viewers["one per cent singly"].principal
        with psycopg.connect(self._superuser) as owner:
            cursor = psycopg.ClientCursor(owner)
            cursor.execute(_FILL.encode(), values)
            cursor.execute("SET session_replication_role = origin")
            cursor.execute("DELETE FROM access_grant WHERE principal_id = %s", [singly])
            cursor.execute(
                "INSERT INTO access_grant (id, organisation_id, principal_id, role, target_id, reason) "
                "SELECT gen_random_uuid(), %s, %s, 'viewer', id, '' FROM organisations_granttarget "
                "WHERE kind = 'agent' AND name LIKE 'Agent %%00'", [self.organisation, singly],
            )  # fmt: skip
        with psycopg.connect(self._superuser, autocommit=True) as owner:
            owner.execute("GRANT SELECT ON guardian_groupobjectpermission, auth_group TO remit_serving")
            owner.execute("VACUUM ANALYZE")
        return time.perf_counter() - begun

    def pages(self, count: int) -> dict[str, dict[str, Callable[[], Any]]]:
        """For each model and viewer: our page, and the one written by hand; both make the rows' objects."""
        found: dict[str, dict[str, Callable[[], Any]]] = {}
        for model in (Agent, Run):
            for name in self.viewers:
                if model is Run and name == "one per cent singly":
                    continue
                found[f"{model.__name__}: {name}"] = {
                    "ours": lambda model=model, name=name: self._ours(model, name, count),
                    "hand": lambda model=model, name=name: self._by_hand(model, name, count),
                }
        for name, two in found.items():
            assert [row.id for row in two["ours"]()] == [row.id for row in two["hand"]()], name
        return found

    def statements(self, count: int) -> dict[str, int]:
        """How many statements each of our pages takes."""
        found = {}
        for model in (Agent, Run):
            for name, actor in self.viewers.items():
                with transaction.atomic():
                    enter(self.organisation)
                    with CaptureQueriesContext(connection) as asked:
                        first_rows(model.objects.all().permitted(actor, _permission(model)), count)
                found[f"{model.__name__}: {name}"] = len(asked)
        return found

    def checks(self) -> dict[str, Callable[[], Any]]:
        """One cold check by guardian, and by us; each in a transaction of its own."""
        actor, target = self.viewers["one per cent"], self.teams[0].target
        assert actor.user is not None
        user = user_by_id(actor.user)
        assert user is not None
        user.is_superuser = False  # type: ignore[attr-defined]  # the same
        user.groups = Group.objects.filter(name="viewers")  # type: ignore[attr-defined]  # guardian asks for them
        connection.ensure_connection()

        def guardian() -> None:
            assert ObjectPermissionChecker(user).has_perm("organisations.run.view", target)

        def ours() -> None:
            assert "run.view" in permissions_on(actor, target.id)

        block = transaction.atomic()
        block.__enter__()
        enter(self.organisation)
        see_as_user(actor.user)
        return {"guardian": guardian, "ours": ours}

    def _ours(self, model: Any, name: str, count: int) -> list[Any]:
        with transaction.atomic():
            enter(self.organisation)
            return first_rows(model.objects.all().permitted(self.viewers[name], _permission(model)), count)

    def _by_hand(self, model: Any, name: str, count: int) -> list[Any]:
        statement, values = self._hand(model, name)
        with transaction.atomic():
            enter(self.organisation)
            return list(model.objects.raw(statement, [*values, count]))

    def _hand(self, model: Any, name: str) -> tuple[str, list[Any]]:
        table, actor = model._meta.db_table, self.viewers[name]
        if name == "everything":
            return f"SELECT * FROM {table} WHERE organisation_id = %s ORDER BY id DESC LIMIT %s", [self.organisation]
        if name == "one per cent singly":
            granted = f"SELECT a.* FROM access_grant g JOIN {table} a ON a.id = g.target_id WHERE g.principal_id = %s"
            return f"{granted} ORDER BY g.target_id DESC LIMIT %s", [actor.principal]
        teams = [self.teams[0].id] if name == "one per cent" else [team.id for team in self.teams[50:]]
        one = (
            f"SELECT a.* FROM {table} a WHERE a.team_id = n.id ORDER BY a.id DESC LIMIT 51"
            if model is Agent
            else f"SELECT r.* FROM runs_place p JOIN {table} r ON r.id = p.run_id WHERE p.node_id = n.id "
            "ORDER BY p.run_id DESC LIMIT 51"
        )
        return (
            f"SELECT x.* FROM unnest(%s::uuid[]) n(id) CROSS JOIN LATERAL ({one}) x ORDER BY x.id DESC LIMIT %s",
            [teams],
        )


def _permission(model: Any) -> str:
    return "agent.view" if model is Agent else "run.view"
