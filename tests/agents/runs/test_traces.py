"""What a run did has one hash, whatever happened to it on the way: random runs, replayed and forked."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agents.runs.control import fork_run
from agents.runs.models import ENDED, Run, Step, StepState, Wait
from agents.runs.services import resolve_unknown
from agents.runs.traces import compare, effective, hash_of, trace, trace_hash
from foundation.ids import uuid7
from governance.approvals.models import ApprovalRequest
from governance.approvals.services import approve, deny
from tests.agents.runs.test_replay import ASK_FIRST, hashes, replayed

PAST = "2020-01-01T00:00Z"
tools = st.sampled_from(["read", "idempotent", "effect", "effect"])
calls = st.tuples(tools, st.sampled_from(["a", "b", "refuse", "break"]))
faulty = st.sampled_from([[], [503], [400]])
scripts = st.lists(st.lists(calls, min_size=1, max_size=2), max_size=3)
words = st.lists(st.booleans(), min_size=8, max_size=8)


def play_script(house: Any, script: list[list[tuple[str, str]]]) -> None:
    """Have the model say this, answer by answer; each call of it has an id of its own."""
    answers = [[_call(tool, note) for tool, note in turn] for turn in script]
    reached = [sum(len(turn) for turn in script[:place]) for place in range(len(script) + 1)]

    def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
        outputs = sum(1 for item in request["input"] if item.get("type") == "function_call_output")
        place = reached.index(outputs)
        return answers[place] if place < len(answers) else _SAID

    house.model.answer = answer


def _call(tool: str, note: str) -> dict[str, Any]:
    return {"type": "function_call", "id": "f", "call_id": f"call_{uuid7()}", "name": f"witness__{tool}",
            "arguments": json.dumps({"note": note}), "status": "completed"}  # fmt: skip


_SAID = [{"type": "message", "id": "m", "role": "assistant", "status": "completed",
          "content": [{"type": "output_text", "text": "Done.", "annotations": []}]}]  # fmt: skip


def to_its_end(house: Any, run: Run, said: list[bool]) -> Run:
    """People answer, time passes, endpoints come back: until it has ended."""
    answers = iter(said * 10)
    for _ in range(60):
        run = house.run(run)
        if run.state in ENDED:
            return run
        with house.in_tenant():
            if run.waits_for == Wait.APPROVAL:
                request = ApprovalRequest.objects.get(pk=run.waits_on)
                if next(answers):
                    approve(actor=house.approver, request=request, digest=request.digest)
                else:
                    deny(actor=house.approver, request=request, reason="No.")
            elif run.waits_for == Wait.PERSON:
                step = Step.objects.get(run_id=run.id, state=StepState.UNKNOWN)
                resolve_unknown(actor=house.owner, run=run, number=step.number, evidence="I saw it.",
                                outcome="done" if next(answers) else "failed")  # fmt: skip
            else:
                Run.objects.filter(pk=run.pk).update(wake_at=PAST)
    raise AssertionError(f"It never ends: {run.state} {run.waits_for}")


def journal(house: Any, run: Run) -> tuple[Run, list[Step]]:
    """The run and its steps."""
    with house.in_tenant():
        found = Run.objects.select_related("version").get(pk=run.pk)
        return found, list(Step.objects.filter(run_id=run.pk).order_by("number"))


@pytest.mark.slow
def test_a_replay_has_the_hash_of_its_run_and_a_fork_differs_only_behind_its_step(make_house: Any) -> None:
    house = make_house(ASK_FIRST)

    # Without shrinking: an example is a dozen runs, and a failing one is small as it is.
    phases = (Phase.explicit, Phase.reuse, Phase.generate)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=phases)
    @given(script=scripts, said=words, faults=faulty, place=st.integers(0, 20), data=st.data())
    def check(script: Any, said: list[bool], faults: list[int], place: int, data: Any) -> None:
        play_script(house, script)
        house.model.fail_with = list(faults)
        run = to_its_end(house, house.start(), said)
        house.model.fail_with = []
        lines, asked = len(house.lines()), len(house.model.asked)
        again = replayed(house, run)
        assert again.state in ENDED
        assert len(hashes(house, run, again)) == 1
        assert (len(house.lines()), len(house.model.asked), again.cost) == (lines, asked, 0)
        assert len(hashes(house, replayed(house, again), run)) == 1, "a replay of a replay"
        former, steps = journal(house, run)
        step = place % (len(steps) + 1)
        other = data.draw(scripts)
        play_script(house, [*script[: _answers(steps[:step])], *other])
        with house.in_tenant():
            made = fork_run(actor=house.owner, run=run, step=step)
        made = to_its_end(house, made, said[::-1])
        forked, its = journal(house, made)
        assert trace(forked, its[:step]) == trace(former, steps[:step])
        assert all(one.cost == 0 for one in its[:step])
        assert len(hashes(house, replayed(house, made), made)) == 1, "a fork can be replayed"

    check()


def _answers(steps: list[Step]) -> int:
    return sum(step.kind == "model_call" and step.state == "succeeded" for step in steps)


def test_the_hash_knows_what_was_done_and_not_when_or_for_how_much(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.read", note="a"), say("Done.")]}
    one = house.run(house.start())
    house.model.answers = {"worker": [call("witness.read", note="a"), say("Done.")]}
    other = house.run(house.start())
    assert len(hashes(house, one, other)) == 1, "the model's ids, times and keys are others"
    house.model.answers = {"worker": [call("witness.read", note="b"), say("Done.")]}
    assert len(hashes(house, one, house.run(house.start()))) == 2
    house.model.answers = {"worker": [call("witness.read", note="a"), say("Done!")]}
    assert len(hashes(house, one, house.run(house.start()))) == 2
    house.model.answers = {"worker": [call("witness.read", note="a"), say("Done.")]}
    assert len(hashes(house, one, house.run(house.start("Please do")))) == 2


def test_each_part_of_a_trace_is_in_its_hash(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.read", note="a"), say("Done.")]}
    run, steps = journal(house, house.run(house.start()))
    with house.in_tenant():
        before = trace_hash(run)
        assert before == hash_of(trace(run, steps))
        assert before.startswith("sha256:")
        for name, value in {"name": "x", "state": "failed", "error": "x", "output": {"x": 1}, "input": {"note": "x"},
                            "label": {"integrity": "trusted"}, "verdict": {"effect": "deny"}}.items():  # fmt: skip
            _, changed = journal(house, run)
            setattr(changed[1], name, value)
            assert hash_of(trace(run, changed)) != before, name
        same = {"effect": "allow", "reasons": ["x"]}
        for name, value in {"cost": 9, "usage": {"input_tokens": 9}, "decision_id": uuid7(), "idempotency_key": "x",
                            "attempt": 3, "digest": "x", "verdict": same}.items():  # fmt: skip
            _, changed = journal(house, run)
            setattr(changed[1], name, value)
            assert hash_of(trace(run, changed)) == before, name


def test_two_runs_are_aligned_by_what_they_called(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.read", note="a"), call("witness.read", note="b"), say("Done.")]}
    one = house.run(house.start())
    house.model.answers = {"worker": [call("witness.read", note="b"), say("Done.")]}
    other = house.run(house.start())
    with house.in_tenant():
        found = compare(one, other)
    assert (found.is_same, found.first_difference) == (False, 0)
    beside = [(_note(pair.one), _note(pair.other)) for pair in found.pairs]
    assert ("b", "b") in beside
    assert ("a", None) in beside
    assert [totals.steps for totals in found.totals] == [5, 3]
    assert [totals.cost for totals in found.totals] == [330, 220]


def _note(step: Step | None) -> Any:
    return step and step.input.get("note")


def test_a_run_compared_with_its_replay_differs_only_in_what_it_cost(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.read", note="a"), say("Done.")]}
    run = house.run(house.start())
    again = replayed(house, run)
    with house.in_tenant():
        found = compare(run, again)
    assert (found.is_same, found.first_difference) == (True, None)
    assert {name for pair in found.pairs for name in pair.differs} - {"duration"} == {"cost"}


def test_a_question_that_was_asked_anew_counts_once(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="a"), say("Done.")]}
    run = house.run(house.start())
    house.policy("more", '@id("more") permit (principal, action, resource);')
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", waits_for="", waits_on=None, wake_at=None)
    run = to_its_end(house, run, [True])
    _, steps = journal(house, run)
    assert [step.kind for step in steps] == ["model_call", "decision_wait", "decision_wait", "tool_call", "model_call"]
    assert [step.number for step in effective(steps)] == [1, 3, 4, 5]
    assert len(hashes(house, run, replayed(house, run))) == 1
