"""`remit.ask_person`: a question waits as a row; a person's answer wakes the run, once."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from agents.runs.models import InputRequest, InputState, Run, RunState, StepState
from agents.runs.services import cancel_run
from agents.runs.waits import answer_question, open_questions
from foundation.access.roles import Permission
from foundation.actors import Actor, ActorKind
from foundation.audit.models import AuditEntry
from foundation.errors import ConflictError, InvalidError
from foundation.ids import uuid7
from foundation.tenancy.context import tenant

FORM = {
    "type": "object",
    "properties": {
        "amount": {"type": "integer", "title": "Amount", "minimum": 1, "maximum": 500},
        "why": {"type": "string", "enum": ["lost", "broken"]},
        "sure": {"type": "boolean"},
    },
    "required": ["amount", "why"],
}


def asked(house: Any, run: Any) -> InputRequest:
    """The question of a run."""
    with house.in_tenant():
        return InputRequest.objects.get(run_id=run.pk)


def give(house: Any, question: InputRequest, **answer: Any) -> InputRequest:
    """A person's answer."""
    with house.in_tenant():
        return answer_question(actor=house.approver, request=question, answer=answer)


@pytest.fixture
def asking(house: Any, say: Any, call: Any, equip: Any) -> Any:
    """A run that has asked with a form, and waits."""
    equip(house, "remit.ask_person", "witness.effect")
    house.model.answers = {"worker": [call("remit.ask_person", question="How much?", form=FORM), say("Thank you.")]}
    run = house.run(house.start())
    assert (run.state, run.waits_for) == (RunState.WAITING, "input"), run.failure
    return run


def test_an_answer_wakes_the_run(house: Any, asking: Any) -> None:
    question = asked(house, asking)
    assert (question.state, question.question, question.step) == (InputState.OPEN, "How much?", 2)
    assert asking.waits_on == question.id
    give(house, question, amount=20, why="lost")
    run = house.run(asking)
    assert run.state == RunState.SUCCEEDED, run.failure
    step = house.steps(run)[1]
    assert step.output == {"answer": {"amount": 20, "why": "lost"}, "answered_by": "Pia Approver"}
    assert step.label["integrity"] == "untrusted", "one of the words was offered by an agent that had read a stranger's"
    assert '"amount": 20' in house.model.asked[-1]["input"][-1]["output"]
    with house.in_tenant():
        found = AuditEntry.objects.filter(action__in=["question.ask", "question.answer"]).order_by("id")
        assert [one.actor_name for one in found] == ["Worker", "Pia Approver"]


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({"amount": 501, "why": "lost"}, "amount"),
        ({"amount": "20", "why": "lost"}, "amount"),
        ({"amount": True, "why": "lost"}, "amount"),
        ({"amount": 20, "why": "stolen"}, "why"),
        ({"amount": 20}, "answer"),
        ({"amount": 20, "why": "lost", "more": 1}, "more"),
    ],
)
def test_what_does_not_fit_the_form_is_told_at_its_field(house: Any, asking: Any, answer: Any, field: str) -> None:
    with pytest.raises(InvalidError) as told:
        give(house, asked(house, asking), **answer)
    assert told.value.field == field
    assert house.read(asking).state == RunState.WAITING


def test_the_first_answer_counts(house: Any, asking: Any) -> None:
    question = asked(house, asking)
    give(house, question, amount=1, why="lost")
    with pytest.raises(ConflictError, match="somebody has answered"):
        give(house, question, amount=2, why="lost")
    house.run(asking)
    assert house.steps(asking)[1].output["answer"]["amount"] == 1


def test_of_answers_at_the_same_moment_one_counts(house: Any, asking: Any) -> None:
    question, taken, together = asked(house, asking), [], threading.Barrier(4)

    def answer(amount: int) -> None:
        try:
            together.wait()
            give(house, question, amount=amount, why="lost")
            taken.append(amount)
        except ConflictError:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=answer, args=(amount,)) for amount in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    assert house.run(asking).state == RunState.SUCCEEDED
    assert house.steps(asking)[1].output["answer"]["amount"] == taken[0]


def test_only_a_person_answers(house: Any, asking: Any) -> None:
    question = asked(house, asking)
    for kind in (ActorKind.AGENT, ActorKind.SERVICE, ActorKind.SYSTEM):
        actor = Actor(kind=kind, name="x", principal=uuid7(), organisation=house.organisation.id)
        with house.in_tenant(), pytest.raises(InvalidError):
            answer_question(actor=actor, request=question, answer={"amount": 1, "why": "lost"})


def test_nobody_answers_in_time_and_the_run_goes_on(house: Any, asking: Any) -> None:
    question, gone = asked(house, asking), datetime.now(UTC) - timedelta(seconds=1)
    with house.in_tenant():
        InputRequest.objects.filter(pk=question.pk).update(expires_at=gone)
        Run.objects.filter(pk=asking.pk).update(wake_at=gone)
    with pytest.raises(ConflictError, match="time is over"):
        give(house, question, amount=1, why="lost")
    run = house.run(asking)
    assert run.state == RunState.SUCCEEDED
    assert (house.steps(run)[1].state, house.steps(run)[1].error) == (StepState.FAILED, "Nobody answered in time.")
    assert asked(house, run).state == InputState.EXPIRED
    assert "Nobody answered in time" in house.model.asked[-1]["input"][-1]["output"]


def test_a_cancelled_run_needs_no_answer(house: Any, asking: Any) -> None:
    with house.in_tenant():
        cancel_run(actor=house.owner, run=asking)
    assert house.run(asking).state == RunState.CANCELLED
    question = asked(house, asking)
    assert question.state == InputState.VOID
    with pytest.raises(ConflictError, match="has ended"):
        give(house, question, amount=1, why="lost")


def test_woken_for_nothing_it_waits_on(house: Any, asking: Any) -> None:
    with house.in_tenant():
        Run.objects.filter(pk=asking.pk).update(state="queued", waits_for="", waits_on=None)
    run = house.run(asking)
    assert (run.state, run.waits_for, run.waits_on) == (RunState.WAITING, "input", asked(house, run).id)
    give(house, asked(house, run), amount=1, why="lost")
    assert house.run(run).state == RunState.SUCCEEDED


def test_without_a_form_there_is_one_field(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.ask_person")
    house.model.answers = {"worker": [call("remit.ask_person", question="May I?", patience=60), say("Thank you.")]}
    run = house.run(house.start())
    question = asked(house, run)
    assert question.expires_at <= datetime.now(UTC) + timedelta(seconds=61)
    with house.in_tenant():
        assert list(open_questions().permitted(house.owner, Permission.RUN_CONTROL)) == [question]
    give(house, question, answer="Yes.")
    assert house.run(run).state == RunState.SUCCEEDED
    assert house.steps(run)[1].label == {"integrity": "trusted", "confidentiality": "internal", "sources": ["person"]}
    with house.in_tenant():
        assert not open_questions().exists()


@pytest.mark.parametrize(
    "form",
    [
        {}, {"type": "object", "properties": {}}, {"type": "array"},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
        {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1/"}}},
        {"type": "object", "properties": {"a": {"type": "string", "maxLength": "x"}}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
        {"type": "object", "properties": {"a": {"type": "string"}}, "allOf": []},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": "a"},
        {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(21)}},
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_shown_is_refused(house: Any, say: Any, call: Any, equip: Any, form: Any) -> None:
    equip(house, "remit.ask_person")
    house.model.answers = {"worker": [call("remit.ask_person", question="?", form=form), say("Sorry.")]}
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    assert house.steps(run)[1].state == StepState.REFUSED
    assert not house.events(run).count("run.waiting")


def test_another_organisation_sees_nothing_of_it(house: Any, make_house: Any, asking: Any) -> None:
    stranger, question = make_house(), asked(house, asking)
    with tenant(stranger.organisation.id):
        assert not InputRequest.objects.filter(pk=question.pk).exists()
        with pytest.raises(InputRequest.DoesNotExist):
            answer_question(actor=stranger.owner, request=question, answer={"amount": 1, "why": "lost"})
