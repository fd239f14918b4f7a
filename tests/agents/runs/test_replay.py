"""A replay does what its run did, by the same moves and through the same gate, and nothing leaves."""

from typing import Any

import pytest

from agents.registry.models import Agent
from agents.registry.services import publish_version
from agents.runs import calling, engine
from agents.runs.control import replay_run
from agents.runs.models import Run, RunState, Session, StepKind, StepState
from agents.runs.services import cancel_run, resolve_unknown
from agents.runs.traces import compare, trace_hash
from agents.tools.models import Tool
from foundation.errors import ConflictError, InvalidError
from governance.approvals.models import ApprovalRequest
from governance.approvals.services import approve, deny
from governance.policies.models import PolicyDecision
from tests.houses import EURO
from tests.workers import superuser

ASK_FIRST = (
    '@id("allow") permit (principal, action, resource);\n'
    '@id("careful") @ask("May I?") @approvers("approver") @quorum("1") @expires("1h") @risk("low")\n'
    'forbid (principal, action, resource == Tool::"witness.effect") unless { context.approved };'
)


def replayed(house: Any, run: Run, version: Any = None) -> Run:
    """A replay, run to its end."""
    with house.in_tenant():
        made = replay_run(actor=house.owner, run=Run.objects.get(pk=run.pk), version=version)
    return house.run(made)


def hashes(house: Any, *runs: Run) -> set[str]:
    """The hashes of their traces."""
    with house.in_tenant():
        return {trace_hash(Run.objects.get(pk=run.pk)) for run in runs}


def publish(house: Any, instructions: str, **more: Any) -> Any:
    """Another version of the agent."""
    with house.in_tenant():
        tools = ["witness.read", "witness.idempotent", "witness.effect"]
        values = {"tools": tools, "delegates": [], "max_steps": 40, "max_seconds": 3600, "max_output_tokens": 100,
                  "run_budget": EURO, "note": ""}  # fmt: skip
        return publish_version(actor=house.owner, agent=Agent.objects.get(pk=house.agent.pk), instructions=instructions,
                               language_model=house.language_model, **values | more)  # fmt: skip


def ledger(house: Any, run: Run) -> int:
    with superuser() as database:
        rows = database.execute("SELECT count(*) FROM budgets_ledgerentry WHERE run_id = %s", [run.id])
        return rows.fetchone()[0]


def test_an_unchanged_run_is_replayed_to_the_same_trace(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.read", note="a"), call("witness.effect", note="b"),
                                      call("witness.effect", note="refuse"), call("no.such", note="x"),
                                      call("witness.read", wrong=1), say("Done.")]}  # fmt: skip
    run = house.run(house.start())
    asked, lines = len(house.model.asked), house.lines()
    again = replayed(house, run)
    assert (again.state, again.output) == (RunState.SUCCEEDED, run.output), again.failure
    assert len(hashes(house, run, again)) == 1
    assert (len(house.model.asked), house.lines()) == (asked, lines), "nothing left"
    assert (again.cost, ledger(house, again)) == (0, 0), "nothing was paid"
    assert (again.relation, again.former_id, again.stubs_tools) == ("replay", run.id, True)


def test_every_act_of_a_replay_is_decided_anew(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="b"), say("Done.")]}
    run = house.run(house.start())
    again = replayed(house, run)
    with house.in_tenant():
        decided = [sorted(PolicyDecision.objects.filter(run_id=one.id).values_list("kind", "name", "effect"))
                   for one in (run, again)]  # fmt: skip
    assert decided[0] == decided[1] != []
    assert {step.decision_id for step in house.steps(run)}.isdisjoint(step.decision_id for step in house.steps(again))
    with superuser() as database:
        told = database.execute("SELECT DISTINCT details->>'replay' FROM audit_auditentry WHERE run_id = %s "
                                "AND action LIKE 'decision.%%' AND target_kind = 'tool_call'", [again.id])  # fmt: skip
        assert told.fetchall() == [("true",)]


def test_a_policy_of_today_changes_a_replay(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="b"), say("Done.")]}
    run = house.run(house.start())
    house.policy("never", '@id("never") forbid (principal, action, resource == Tool::"witness.effect");')
    again = replayed(house, run)
    step = house.steps(again)[1]
    assert (step.state, "never" in step.error) == (StepState.REFUSED, True)
    assert len(hashes(house, run, again)) == 2
    with house.in_tenant():
        found = compare(run, again)
    assert (found.first_difference, found.pairs[1].differs[:2]) == (1, ("state", "output"))
    assert "decision" in found.pairs[1].differs


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_people_answer_as_recorded_and_nobody_is_asked(make_house: Any, say: Any, call: Any, answer: str) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="b"), say("Done.")]}
    run = house.run(house.start())
    with house.in_tenant():
        request = ApprovalRequest.objects.get(run=run)
        if answer == "yes":
            approve(actor=house.approver, request=request, digest=request.digest)
        else:
            deny(actor=house.approver, request=request, reason="Too dear.")
    run = house.run(run)
    lines = house.lines()
    again = replayed(house, run)
    assert again.state == RunState.SUCCEEDED, again.failure
    assert [step.kind for step in house.steps(again)][1] == StepKind.DECISION_WAIT
    assert len(hashes(house, run, again)) == 1
    assert house.lines() == lines
    with house.in_tenant():
        assert ApprovalRequest.objects.filter(run=again).count() == 0


def test_a_question_that_nobody_was_asked_then_is_answered_with_no(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="b"), say("Done.")]}
    run = house.run(house.start())
    house.policy("careful", ASK_FIRST.split("\n", 1)[1])
    again = replayed(house, run)
    assert again.state == RunState.SUCCEEDED, again.failure
    refused = house.steps(again)[2]
    assert (refused.state, "nobody was asked" in refused.error) == (StepState.REFUSED, True)


def test_children_answer_as_recorded(house: Any, say: Any, call: Any, add_agent: Any) -> None:
    add_agent("writer", [])
    boss = add_agent("boss", ["writer"])
    house.model.answers = {"boss": [call("delegate.writer", task="a"), say("Done.")],
                           "writer": [call("witness.effect", note="w"), say("Written.")]}  # fmt: skip
    run = house.run(house.start(agent=boss))
    lines = house.lines()
    again = replayed(house, run)
    assert len(hashes(house, run, again)) == 1
    assert house.lines() == lines
    with house.in_tenant():
        assert Run.objects.filter(root_id=again.id).count() == 1, "no child is made"
        child = Run.objects.get(parent=run)
    assert len(hashes(house, child, replayed(house, child))) == 1, "a child can be replayed by itself"


def test_attempts_and_doubts_do_not_change_the_trace(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="break"), say("Done.")]}
    house.model.fail_with = [503]
    run = house.run(house.start())
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(wake_at="2020-01-01T00:00Z")
    run = house.run(run)
    with house.in_tenant():
        resolve_unknown(actor=house.owner, run=run, number=3, outcome="done", evidence="The ledger says so.")
    run = house.run(run)
    again = replayed(house, run)
    assert (again.state, again.waits_for) == (RunState.SUCCEEDED, ""), again.failure
    assert len(hashes(house, run, again)) == 1
    assert (len(house.steps(run)), len(house.steps(again))) == (4, 3)


def test_a_replay_ends_where_its_run_was_ended(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="b"), say("Done.")]}
    run = house.run(house.start())
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)
    run = house.run(run)
    again = replayed(house, run)
    assert again.state == RunState.FAILED
    assert "recording ends here" in again.failure
    assert len(hashes(house, run, again)) == 1


def test_a_step_that_stayed_in_doubt_stays_in_doubt(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="break"), say("Done.")]}
    run = house.run(house.start())
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)
    again = replayed(house, house.run(run))
    assert (again.state, [step.state for step in house.steps(again)]) == ("failed", ["succeeded", "unknown"])
    assert len(hashes(house, run, again)) == 1


def test_a_model_that_failed_fails_in_the_replay_too(house: Any) -> None:
    house.model.fail_with = [400]
    run = house.run(house.start())
    again = replayed(house, run)
    assert (again.state, again.failure) == (RunState.FAILED, run.failure)
    assert len(hashes(house, run, again)) == 1


def test_a_refusal_for_want_of_money_is_part_of_the_recording(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(run_budget=20_000)
    house.model.answers = {"worker": [call("witness.read", note="x" * 30_000), say("Done.")]}
    run = house.run(house.start())
    assert "budget of the run" in run.failure
    again = replayed(house, run)
    assert (again.state, again.failure) == (RunState.FAILED, run.failure)
    assert len(hashes(house, run, again)) == 1


def test_a_worker_that_dies_in_a_replay_does_not_change_it(house: Any, say: Any, call: Any, monkeypatch: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="b"), call("witness.read", note="c"), say("Done.")]}
    run = house.run(house.start())
    with house.in_tenant():
        made = replay_run(actor=house.owner, run=run)
    real, asked = calling.calls.call_model, []

    def die(*given: Any) -> Any:
        asked.append(given)
        if len(asked) == 2:
            raise SystemExit
        return real(*given)

    monkeypatch.setattr(calling.calls, "call_model", die)
    with pytest.raises(SystemExit):
        engine.advance(made.id)
    with house.in_tenant():
        Run.objects.filter(pk=made.pk).update(lease_until="2020-01-01T00:00Z")
    assert house.run(made).state == RunState.SUCCEEDED
    assert len(hashes(house, run, made)) == 1
    assert len(house.lines()) == 2


def test_another_version_thinks_for_itself_and_its_tools_are_stubs(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {
        "worker": [call("witness.effect", note="a"), call("witness.read", note="b"), say("Done.")],
        "bolder": [call("witness.read", note="b"), call("witness.effect", note="never"), say("I tried.")],
    }
    run = house.run(house.start())
    asked, lines = len(house.model.asked), house.lines()
    again = replayed(house, run, publish(house, "bolder"))
    assert (again.state, again.output) == (RunState.SUCCEEDED, {"text": "I tried."}), again.failure
    steps = house.steps(again)
    assert steps[1].output == {"written": "b"}, "the same call has the recorded output"
    assert (steps[3].state, "never made this call" in steps[3].error) == (StepState.REFUSED, True)
    assert "never made this call" in house.model.asked[-1]["input"][-1]["output"], "the model is told"
    assert house.lines() == lines
    assert len(house.model.asked) == asked + 3
    assert again.cost == 330, "a model that is called is paid"
    assert len(hashes(house, run, again)) == 2


def test_another_version_gets_the_recorded_votes(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="b"), say("Done.")]}
    house.model.answers["other"] = house.model.answers["worker"]
    run = house.run(house.start())
    with house.in_tenant():
        request = ApprovalRequest.objects.get(run=run)
        approve(actor=house.approver, request=request, digest=request.digest)
    run = house.run(run)
    again = replayed(house, run, publish(house, "other"))
    assert [step.state for step in house.steps(again)] == ["succeeded"] * 4
    assert len(house.lines()) == 1


def test_an_act_that_claims_to_be_of_a_replay_is_refused_in_a_run_that_is_none(
    house: Any, say: Any, call: Any, monkeypatch: Any
) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="b"), say("Done.")]}
    run = house.run(house.start())
    with house.in_tenant():
        made = replay_run(actor=house.owner, run=run)
        real = engine.load

        def lying(lease: Any) -> Any:
            work = real(lease)
            Run.objects.using("engine").filter(pk=made.pk).update(stubs_tools=False)
            return work

    monkeypatch.setattr(engine, "load", lying)
    assert "is no replay" in house.run(made).failure


def test_what_has_not_ended_or_never_began_is_not_replayed(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    run = house.start()
    with house.in_tenant(), pytest.raises(ConflictError, match="has not ended"):
        replay_run(actor=house.owner, run=run)
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)
    run = house.run(run)
    with house.in_tenant(), pytest.raises(ConflictError, match="nothing to replay"):
        replay_run(actor=house.owner, run=run)


def test_a_version_of_another_agent_is_refused(house: Any, say: Any, add_agent: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    run, other = house.run(house.start()), add_agent("writer", [])
    with house.in_tenant(), pytest.raises(InvalidError, match="another agent"):
        replay_run(actor=house.owner, run=run, version=Agent.objects.get(pk=other.pk).serving)


def test_a_replay_leaves_its_session_and_tools_as_they_are(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.read", note="b"), say("Done.")]}
    run = house.run(house.start())
    again = replayed(house, run)
    with house.in_tenant():
        assert Session.objects.get(pk=again.session_id).label == Session.objects.get(pk=run.session_id).label
        assert again.session_id != run.session_id
        Tool.objects.filter(name="witness.read").update(state="disabled")
    again = replayed(house, run)
    step = house.steps(again)[1]
    assert "disabled" in step.error, "what may not be called today is not played either"
