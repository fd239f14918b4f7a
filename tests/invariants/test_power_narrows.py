"""Power only narrows: a child run has no more than its parent, and no agent changes what governs it."""

import importlib
import inspect
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version, suspend_agent
from agents.runs.calls import MAX_DEPTH
from agents.runs.models import Run
from foundation.access.guards import RefusedError
from foundation.access.models import Grant
from foundation.actors import Actor, ActorKind
from foundation.errors import InvalidError
from foundation.identity.models import Principal
from governance.budgets.models import Budget
from governance.budgets.services import set_budget

EURO = 1_000_000
SERVICES = [
    "foundation.organisations.services", "foundation.identity.services", "foundation.access.services",
    "agents.catalogue.services", "agents.tools.services", "agents.registry.services", "agents.runs.services",
    "agents.runs.waits",
    "foundation.delegation.services", "agents.registry.reviewing",
    "governance.policies.services", "governance.budgets.services", "governance.approvals.services",
]  # fmt: skip


def verbs() -> Iterator[Any]:
    """Every public verb: a function of a services module that takes an actor by name."""
    for name in SERVICES:
        module = importlib.import_module(name)
        for word, verb in vars(module).items():
            if word.startswith("_") or not inspect.isfunction(verb) or verb.__module__ != name:
                continue
            if "actor" in inspect.signature(verb).parameters:
                yield pytest.param(verb, id=f"{name}.{word}")


class Anything:
    """Stands for any argument: the actor is looked at before it."""

    def __getattr__(self, name: str) -> Any:
        pytest.fail(f"the verb went on to read {name}")


@pytest.mark.parametrize("verb", list(verbs()))
def test_no_verb_takes_an_agent(house: Any, verb: Any) -> None:
    agent = Actor(kind=ActorKind.AGENT, name="w", principal=house.agent.id, organisation=house.organisation.id)
    given = {
        name: "x" if one.annotation is str else Anything() for name, one in inspect.signature(verb).parameters.items()
    }
    with house.in_tenant():
        # Some look at what they are to change before they look at who asks.
        known = {"principal": Principal.objects.get(pk=house.approver.principal), "grant": Grant.objects.first(),
                 "user": SimpleNamespace(pk=house.approver.user)}  # fmt: skip
        given |= {name: value for name, value in known.items() if name in given}
        with pytest.raises((InvalidError, RefusedError)):
            verb(**(given | {"actor": agent}))


@pytest.fixture
def family(house: Any, say: Any, call: Any, add_agent: Any) -> Any:
    """A boss that delegates to a writer; returns the two runs."""

    def make(**limits: Any) -> tuple[Run, Run]:
        writer = add_agent("writer", [])
        if limits:
            with house.in_tenant():
                version = publish_version(
                    actor=house.owner, agent=writer, instructions="writer", language_model=house.language_model,
                    tools=["witness.read"], delegates=[], max_output_tokens=100, **({"run_budget": EURO} | limits),
                )  # fmt: skip
                serve_version(actor=house.owner, agent=Agent.objects.get(pk=writer.pk), version=version)
        boss = add_agent("boss", ["writer"])
        house.model.answers |= {"boss": [call("delegate.writer", task="Write."), say("Done.")],
                                "writer": [say("Written.")]}  # fmt: skip
        run = house.run(house.start(agent=boss))
        with house.in_tenant():
            return run, Run.objects.get(parent=run)

    return make


def run_budget(run: Run) -> Budget:
    return Budget.objects.using("engine").get(scope_id=run.id)


@pytest.mark.parametrize(("own", "expected"), [(5 * EURO, EURO), (1000, 1000)])
def test_a_child_never_has_more_money(family: Any, own: int, expected: int) -> None:
    parent, child = family(run_budget=own)
    assert run_budget(parent).limit == EURO
    assert (child.budget, run_budget(child).limit) == (expected, expected)
    assert run_budget(parent).settled == parent.cost + child.cost, "the child's cost counts against its parent"


@pytest.mark.parametrize(("own", "shorter"), [(80_000, False), (60, True)])
def test_a_child_never_has_more_time(family: Any, own: int, *, shorter: bool) -> None:
    parent, child = family(max_seconds=own)
    assert child.deadline < parent.deadline if shorter else child.deadline == parent.deadline


def test_a_child_acts_for_whom_its_parent_acts(house: Any, family: Any) -> None:
    parent, child = family()
    assert parent.state == child.state == "succeeded"
    assert [UUID(one) for one in child.chain] == [parent.agent_id, house.owner.principal]
    assert (child.root_id, child.depth, child.requester_id) == (parent.id, 1, house.owner.principal)


def test_delegation_ends_at_its_depth(house: Any, say: Any, call: Any, add_agent: Any) -> None:
    names = [f"deep-{level}" for level in range(MAX_DEPTH + 2)]
    last = None
    for name in reversed(names):
        last = add_agent(name, [last.slug] if last else [])
        house.model.answers[name] = [say("The end.")]
    for name, below in pairwise(names):
        house.model.answers[name] = [call(f"delegate.{below}", task="Deeper."), say("Done.")]
    run = house.run(house.start(agent=last))
    assert run.state == "succeeded", run.failure
    with house.in_tenant():
        runs = list(Run.objects.filter(root_id=run.id).order_by("depth"))
    assert [one.depth for one in runs] == list(range(MAX_DEPTH + 1))
    assert "limited to" in house.steps(runs[-1])[1].error


def test_nobody_delegates_to_whom_it_may_not(house: Any, say: Any, call: Any, add_agent: Any) -> None:
    add_agent("stranger", [])
    house.model.answers = {
        "worker": [call("delegate.stranger", task="x"), call("delegate.worker", task="x"), say("No.")]
    }
    run = house.run(house.start())
    assert [step.state for step in house.steps(run) if step.kind == "delegation"] == ["refused", "refused"]
    with house.in_tenant():
        assert Run.objects.filter(root_id=run.id).count() == 1


def test_a_child_of_a_suspended_agent_does_nothing(house: Any, say: Any, call: Any, add_agent: Any) -> None:
    add_agent("writer", [])
    boss = add_agent("boss", ["writer"])

    def meanwhile(request: dict[str, Any]) -> Any:
        if request["instructions"] == "writer" and house.lines() == []:
            with house.in_tenant():
                suspend_agent(actor=house.owner, agent=boss, reason="Enough.")
        return real(request)

    real, house.model.answer = house.model.answer, meanwhile
    house.model.answers = {"boss": [call("delegate.writer", task="x")], "writer": [call("witness.effect", note="x")]}
    run = house.run(house.start(agent=boss))
    assert run.state == "failed"
    assert house.lines() == []


def test_a_policy_on_the_child_holds_whoever_asked(
    make_house: Any, house: Any, say: Any, call: Any, add_agent: Any
) -> None:
    house.policy(
        "no-writer", '@id("no") forbid (principal == Agent::"worker", action, resource == Tool::"witness.effect");'
    )
    boss = add_agent("boss", ["worker"])
    house.model.answers = {"boss": [call("delegate.worker", task="x"), say("Done.")],
                           "worker": [call("witness.effect", note="x"), say("Could not.")]}  # fmt: skip
    assert house.run(house.start(agent=boss)).state == "succeeded"
    assert house.lines() == []


def test_an_agent_does_not_raise_its_own_budget(house: Any) -> None:
    agent = Actor(kind=ActorKind.AGENT, name="w", principal=house.agent.id, organisation=house.organisation.id)
    with house.in_tenant(), pytest.raises(InvalidError):
        set_budget(actor=agent, scope="agent", scope_id=house.agent.id, target=house.agent.target, limit=10**9,
                   currency="EUR")  # fmt: skip


def test_a_child_may_not_do_what_its_parent_may_not(house: Any, say: Any, call: Any, add_agent: Any) -> None:
    boss = add_agent("boss", ["worker"])
    house.policy(
        "no-boss", '@id("no") forbid (principal == Agent::"boss", action, resource == Tool::"witness.effect");'
    )
    house.model.answers = {"boss": [call("delegate.worker", task="x"), say("Done.")],
                           "worker": [call("witness.effect", note="x"), say("Could not.")]}  # fmt: skip
    run = house.run(house.start(agent=boss))
    assert run.state == "succeeded", run.failure
    assert house.lines() == []
    with house.in_tenant():
        child = Run.objects.get(parent_id=run.id)
    refused = [step for step in house.steps(child) if step.state == "refused"]
    assert "Boss, which gave this work, may not do it itself" in refused[0].error
    alone = house.run(house.start())
    assert alone.state == "succeeded", alone.failure
    assert [line[2] for line in house.lines()] == ["x"], "by itself the worker may"


def test_what_the_parent_is_asked_about_the_child_is_asked_about(
    house: Any, say: Any, call: Any, add_agent: Any
) -> None:
    boss = add_agent("boss", ["worker"])
    house.policy(
        "ask-boss",
        '@id("ask") @ask("Really?") @approvers("operator") @quorum("1") @expires("30m") @risk("high")\n'
        'forbid (principal == Agent::"boss", action, resource == Tool::"witness.effect") unless { context.approved };',
    )
    house.model.answers = {"boss": [call("delegate.worker", task="x"), say("Done.")],
                           "worker": [call("witness.effect", note="x"), say("Done.")]}  # fmt: skip
    run = house.run(house.start(agent=boss))
    with house.in_tenant():
        child = Run.objects.get(parent_id=run.id)
    assert (child.state, child.waits_for) == ("waiting", "approval")
    assert house.lines() == []


def test_whoever_takes_over_may_not_do_what_the_former_may_not(
    house: Any, say: Any, call: Any, add_agent: Any
) -> None:  # fmt: skip
    boss = add_agent("boss", ["worker"])
    house.policy(
        "no-boss", '@id("no") forbid (principal == Agent::"boss", action, resource == Tool::"witness.effect");'
    )
    with house.in_tenant():
        version = publish_version(
            actor=house.owner, agent=boss, instructions="boss", language_model=house.language_model,
            tools=["remit.hand_over"], delegates=["worker"], max_output_tokens=100, run_budget=EURO,
        )  # fmt: skip
        boss = serve_version(actor=house.owner, agent=boss, version=version)
    house.model.answers = {"boss": [call("remit.hand_over", agent="worker", note="You do it.")],
                           "worker": [call("witness.effect", note="x"), say("Could not.")]}  # fmt: skip
    run = house.run(house.start(agent=boss))
    with house.in_tenant():
        follower = Run.objects.get(former_id=run.id)
    assert (run.state, follower.state) == ("succeeded", "succeeded"), follower.failure
    assert house.lines() == []
    assert follower.chain == [str(boss.id), *run.chain]
