"""A fork shares its former's journal up to a step, does nothing of it again, and differs only behind it."""

from typing import Any

import pytest

from agents.registry.services import suspend_agent
from agents.runs import calling
from agents.runs.control import fork_run, pause_run
from agents.runs.models import Event, Run, RunState, Session, Step, StepState
from agents.runs.services import cancel_run
from agents.runs.traces import compare, trace
from foundation.actors import Actor, ActorKind
from foundation.errors import ConflictError, InvalidError
from tests.agents.runs.test_replay import ASK_FIRST, hashes, publish, replayed
from tests.workers import superuser


def fork(house: Any, run: Run, step: int, **more: Any) -> Run:
    with house.in_tenant():
        actor = more.pop("actor", house.owner)
        return fork_run(actor=actor, run=Run.objects.get(pk=run.pk), step=step, **more)


def told(house: Any, run: Run) -> dict[str, Any]:
    with house.in_tenant():
        steps = list(Step.objects.filter(run_id=run.pk).order_by("number"))
        return trace(Run.objects.get(pk=run.pk), steps)


@pytest.fixture
def done(house: Any, say: Any, call: Any) -> Run:
    """A run with two effects, at steps 2 and 4."""
    house.model.answers = {"worker": [call("witness.effect", note="a"), call("witness.effect", note="b"), say("Done.")]}
    return house.run(house.start())


def test_a_fork_goes_on_from_its_step_and_repeats_nothing_before_it(house: Any, say: Any, call: Any, done: Run) -> None:
    house.model.answers["worker"][1:] = [call("witness.effect", note="other"), say("Otherwise.")]
    asked = len(house.model.asked)
    made = house.run(fork(house, done, 2))
    assert (made.state, made.output) == (RunState.SUCCEEDED, {"text": "Otherwise."}), made.failure
    assert [line[2] for line in house.lines()] == ["a", "b", "other"], "what is shared is not done again"
    assert len(house.model.asked) == asked + 2
    ours, theirs = told(house, done), told(house, made)
    assert ours["steps"][:2] == theirs["steps"][:2]
    with house.in_tenant():
        found = compare(Run.objects.get(pk=done.pk), Run.objects.get(pk=made.pk))
    assert found.first_difference == 2
    assert [pair.is_apart for pair in found.pairs[:2]] == [False, False]


def test_what_is_shared_says_where_it_came_from_and_costs_nothing(house: Any, done: Run) -> None:
    made = fork(house, done, 3)
    old, new = house.steps(done), house.steps(made)
    assert len(new) == 3
    for one, other in zip(old[:3], new, strict=True):
        assert other.usage["copied"] == {"run": str(done.id), "step": one.number, "cost": one.cost}
        assert (other.cost, other.decision_id, other.label) == (0, one.decision_id, one.label)
        assert (other.output, other.provenance, other.state) == (one.output, one.provenance, one.state)
    made = house.run(made)
    assert made.cost == 110, "money counts anew: one answer of the model"
    assert house.steps(made)[3].decision_id != old[3].decision_id
    assert (made.relation, made.former_id, made.former_step) == ("fork", done.id, 3)


@pytest.mark.parametrize("limits", [{"max_steps": 5}, {"max_tokens": 330}])
def test_steps_and_tokens_count_anew(house: Any, say: Any, call: Any, equip: Any, limits: dict[str, int]) -> None:
    equip(house, "witness.effect", **limits)
    turns = [call("witness.effect", note=f"{turn}") for turn in range(3)]
    house.model.answers = {"worker": [*turns, say("Done.")]}
    former = house.run(house.start())
    assert (former.state, "reached its limit" in former.failure) == (RunState.FAILED, True)
    made = house.run(fork(house, former, len(house.steps(former))))
    assert (made.state, made.output) == (RunState.SUCCEEDED, {"text": "Done."}), made.failure
    assert [line[2] for line in house.lines()] == ["0", "1", "2"]


def test_its_own_effects_have_keys_of_their_own(house: Any, done: Run) -> None:
    house.run(fork(house, done, 3))
    keys = [key for _, key, _ in house.lines()]
    assert len(keys) == 3
    assert len(set(keys)) == 3


def test_a_fork_behind_the_last_step_ends_as_its_former_did(house: Any, done: Run) -> None:
    made = house.run(fork(house, done, 5))
    assert (made.state, made.output, made.cost) == (RunState.SUCCEEDED, done.output, 0)
    assert len(hashes(house, done, made)) == 1


def test_a_fork_is_judged_and_paid_like_any_run(house: Any, done: Run) -> None:
    house.policy("never", '@id("never") forbid (principal, action, resource == Tool::"witness.effect");')
    made = house.run(fork(house, done, 3))
    assert house.steps(made)[3].state == StepState.REFUSED
    with superuser() as database:
        rows = database.execute("SELECT count(*) FROM budgets_ledgerentry WHERE run_id = %s", [made.id])
        assert rows.fetchone()[0] > 0


def test_an_approval_of_the_former_is_not_used_again(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="b"), say("Done.")]}
    run = house.run(house.start())
    with pytest.raises(ConflictError, match="Step 2 has not ended"):
        fork(house, run, 2)
    made = house.run(fork(house, run, 1))
    assert (made.state, made.waits_for) == (RunState.WAITING, "approval"), "people are asked for this run"


def test_nobody_forks_out_of_doubt(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="break"), say("Done.")]}
    run = house.run(house.start())
    with pytest.raises(ConflictError, match="Nobody knows what step 2"):
        fork(house, run, 2)
    with pytest.raises(InvalidError, match="has 2 steps"):
        fork(house, run, 3)


def test_a_running_run_can_be_forked_where_it_is_done(house: Any, say: Any, call: Any, monkeypatch: Any) -> None:
    house.model.answers = {"worker": [call("witness.read", note="a"), call("witness.effect", note="b"), say("Done.")]}
    run, real, made = house.start(), calling.calls.call_tool, []

    def meanwhile(*given: Any) -> Any:
        called = real(*given)
        if given[1].name == "witness.effect" and not made:
            made.append(fork(house, run, 3))
            with pytest.raises(ConflictError, match="Step 4 has not ended"):
                fork(house, run, 4)
        return called

    monkeypatch.setattr(calling.calls, "call_tool", meanwhile)
    assert house.run(run).state == RunState.SUCCEEDED
    assert house.run(made[0]).state == RunState.SUCCEEDED


def test_another_version_takes_over_from_there(house: Any, say: Any, call: Any, done: Run) -> None:
    house.model.answers["bolder"] = [say("?"), say("Bold."), say("Bolder.")]
    version = publish(house, "bolder", run_budget=77_000)
    made = house.run(fork(house, done, 2, version=version))
    assert (made.output, made.version_id, made.budget) == ({"text": "Bold."}, version.id, 77_000)
    assert house.model.asked[-1]["instructions"] == "bolder"


def test_another_input_is_for_the_beginning_only_and_is_not_trusted(house: Any, done: Run) -> None:
    made = fork(house, done, 0, input="Something else")
    assert (made.input, made.input_label["integrity"]) == ("Something else", "untrusted")
    asked = len(house.model.asked)
    assert house.run(made).state == RunState.SUCCEEDED
    assert "Something else" in str(house.model.asked[asked]["input"])
    assert done.input not in str(house.model.asked[asked]["input"])
    with pytest.raises(InvalidError, match="fork from step 0"):
        fork(house, done, 1, input="Something else")


def test_the_session_of_a_fork_has_seen_what_is_shared_and_no_more(house: Any, done: Run) -> None:
    first, later = fork(house, done, 1), fork(house, done, 2)
    with house.in_tenant():
        seen = {run.id: Session.objects.get(pk=run.session_id).label["sources"] for run in (done, first, later)}
    assert "tool:witness.effect" not in seen[first.id]
    assert seen[later.id] == seen[done.id]
    assert first.session_id not in {done.session_id, later.session_id}


def test_a_fork_acts_for_whoever_it_was_and_for_who_forks_it(house: Any, done: Run) -> None:
    made = fork(house, done, 2, actor=house.approver)
    assert made.chain == [*done.chain, str(house.approver.principal)]
    assert made.requester_id == house.approver.principal, "and so does not approve its own acts"
    assert fork(house, done, 2).chain == done.chain


def test_an_agent_forks_nothing(house: Any, done: Run) -> None:
    agent = Actor(kind=ActorKind.AGENT, name="worker", organisation=house.organisation.id)
    with pytest.raises(InvalidError, match="agent may not"):
        fork(house, done, 2, actor=agent)


def test_an_agent_that_is_suspended_is_not_forked(house: Any, done: Run) -> None:
    with house.in_tenant():
        suspend_agent(actor=house.owner, agent=type(house.agent).objects.get(pk=house.agent.pk), reason="Away.")
    with pytest.raises(InvalidError, match="is suspended: only an active agent"):
        fork(house, done, 2)


def test_a_fork_can_be_replayed_forked_paused_and_cancelled(house: Any, done: Run) -> None:
    made = house.run(fork(house, done, 2))
    assert len(hashes(house, made, replayed(house, made))) == 1
    again = fork(house, made, 2)
    assert house.steps(again)[0].usage["copied"]["run"] == str(made.id)
    with house.in_tenant():
        pause_run(actor=house.owner, run=again)
        cancel_run(actor=house.owner, run=again)
    assert house.run(again).state == RunState.CANCELLED


def test_a_fork_tells_where_it_came_from(house: Any, done: Run) -> None:
    made = fork(house, done, 2)
    with house.in_tenant():
        event = Event.objects.get(run_id=made.id)
    assert (event.kind, event.data) == ("run.queued", {"former": str(done.id), "relation": "fork", "step": 2})
    with superuser() as database:
        rows = database.execute("SELECT action, details->>'former' FROM audit_auditentry WHERE run_id = %s", [made.id])
        assert rows.fetchall() == [("run.fork", str(done.id))]
