"""What stands beside a run's journal holds none of its bodies; what agents gave to each other is nobody's own."""

import json
from typing import Any

from agents.runs.bodies import Reading, read_run, readings_of
from agents.runs.control import fork_run
from agents.runs.event_kinds import EVENT_FACTS
from agents.runs.models import Event, InputRequest, Run
from agents.runs.ownership import TRIGGERED
from agents.runs.services import start_run
from agents.runs.waits import answer_question
from foundation.access.services import grant
from foundation.actors import Actor, ActorKind
from foundation.audit.models import AuditEntry
from foundation.identity.services import create_service
from foundation.organisations.models import GrantTarget

SECRET = "the parrot is dead"


def entries(house: Any) -> list[AuditEntry]:
    with house.in_tenant():
        return list(AuditEntry.objects.in_organisation(house.organisation.id).order_by("id"))


def told(house: Any) -> str:
    """All that the record says, but for the bodies that are kept apart."""
    return json.dumps([[one.target_name, one.reason, one.details] for one in entries(house)], default=str)


def test_events_and_the_record_tell_facts_and_not_what_a_tool_said(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {
        "worker": [
            call("witness.read", note=f"refuse {SECRET}") + call("witness.read", note=SECRET),
            say(f"I found that {SECRET}."),
        ]
    }
    run = house.run(house.start(f"Tell me whether {SECRET}"))
    assert SECRET in run.output["text"]
    failed, done = (step for step in house.steps(run) if step.kind == "tool_call")
    assert (failed.state, done.state) == ("failed", "succeeded")
    assert failed.error == "The witness does not want to."
    [entry] = [one for one in entries(house) if one.action == "tool_call.failed"]
    assert entry.reason == "The tool's own words stand at the step."
    assert failed.error not in told(house)
    titles = {one.target_name for one in entries(house) if one.target_kind == "run"}
    assert titles == {run.title}, "a run's title is metadata"
    assert SECRET not in told(house).replace(run.title, "")
    with house.in_tenant():
        events = list(Event.objects.filter(run_id=run.pk))
    assert all(EVENT_FACTS.issuperset(event.data) for event in events)
    assert SECRET not in json.dumps([event.data for event in events])


def test_what_agents_gave_to_each_other_is_nobodys_own(
    house: Any, say: Any, call: Any, add_agent: Any, equip: Any
) -> None:
    add_agent("second", [])
    equip(house, "remit.hand_over", delegates=["second"])
    house.model.answers = {
        "worker": [call("delegate.second", task=SECRET), call("remit.hand_over", agent="second", note=SECRET)],
        "second": [say("I went on.")],
    }
    run = house.run(house.start())
    with house.in_tenant():
        child, follower = Run.objects.get(parent=run), Run.objects.get(former=run)
        fork = fork_run(actor=house.owner, run=follower, step=0)
        found = readings_of(house.owner, [run.pk, child.pk, follower.pk, fork.pk])
        others = readings_of(house.approver, [run.pk])
    assert child.requester_id == follower.requester_id == house.owner.principal
    own = {one: (reading.is_own_input, reading.is_own_answer) for one, reading in found.items()}
    assert own == {run.pk: (True, True), child.pk: (False, False), follower.pk: (False, True), fork.pk: (False, True)}
    assert others == {run.pk: Reading()}


def test_what_a_stranger_sent_to_a_trigger_is_not_its_owners(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say(SECRET)]}
    with house.in_tenant():
        run = start_run(actor=house.owner, agent=house.agent, title="Sent", input=SECRET, source=TRIGGERED)
    run = house.run(run)
    with house.in_tenant():
        fork = fork_run(actor=house.owner, run=run, step=0)
        found = readings_of(house.owner, [run.pk, fork.pk])
    assert found == {run.pk: Reading(), fork.pk: Reading()}


def test_what_a_service_reads_of_its_own_is_recorded_too(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    with house.in_tenant():
        principal = create_service(actor=house.owner, organisation=house.organisation, name="Integration")
        service = Actor(kind=ActorKind.SERVICE, name="Integration", principal=principal.id,
                        organisation=house.organisation.id)  # fmt: skip
        grant(
            actor=house.owner, principal=principal, role="operator", target=GrantTarget.objects.get(pk=house.agent.id)
        )
        own = start_run(actor=service, agent=house.agent, title="Own", input=SECRET)
        assert read_run(service, own).is_own_answer
        assert not read_run(house.owner, own).is_own_answer
        assert read_run(service, own).is_own_input
    noted = [(one.actor_name, one.target_id) for one in entries(house) if one.action == "run.read_bodies"]
    assert noted == [("Integration", own.pk)]


def test_why_arguments_do_not_fit_does_not_quote_them(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.read", note="x", amount=SECRET), say("Well.")]}
    run = house.run(house.start())
    [refused] = [step for step in house.steps(run) if step.kind == "tool_call"]
    assert refused.state == "refused"
    assert 'at amount: type must be "integer"' in refused.error
    assert SECRET not in refused.error
    assert SECRET not in told(house)


def test_the_record_does_not_quote_the_question_that_was_answered(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.ask_person")
    house.model.answers = {"worker": [call("remit.ask_person", question=f"Is it true that {SECRET}?"), say("So.")]}
    house.run(house.start())
    with house.in_tenant():
        asked = InputRequest.objects.get()
        answer_question(actor=house.owner, request=asked, answer={"answer": f"Yes, {SECRET}."})
    [entry] = [one for one in entries(house) if one.action == "question.answer"]
    assert entry.target_name == f"Question at step {asked.step}"
    assert SECRET not in told(house)
