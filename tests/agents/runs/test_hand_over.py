"""`remit.hand_over`: another agent takes the session over, with no more than this one had."""

from typing import Any

import pytest

from agents.labels import Integrity, Label
from agents.registry.services import activate_agent, create_agent, publish_version, serve_version
from agents.runs import calls
from agents.runs.control import pause_run, resume_run
from agents.runs.engine import advance
from agents.runs.models import Relation, Run, RunState, Session, StepKind, StepState, Wait
from agents.runs.services import cancel_run, start_run
from foundation.actors import shell_actor
from foundation.audit.models import AuditEntry
from governance.budgets.services import set_budget

NEVER = '@id("never") forbid (principal, action == Action::"delegation", resource == Agent::"second");'


def follower_of(house: Any, run: Any) -> Run:
    """The run that took over."""
    with house.in_tenant():
        return Run.objects.select_related("session", "agent", "version").get(former_id=run.pk)


@pytest.fixture
def handed(house: Any, say: Any, call: Any, add_agent: Any, equip: Any) -> Any:
    """A run that has handed over to an agent, whose run is queued."""
    add_agent("second", [])
    equip(house, "remit.hand_over", delegates=["second"])
    house.model.answers = {
        "worker": [call("remit.hand_over", agent="second", note="Go on."), say("never said")],
        "second": [say("I went on.")],
    }
    run = house.start()
    assert advance(run.id) == [follower_of(house, run).id]
    return house.read(run)


def test_the_run_ends_and_another_begins_in_the_session(house: Any, handed: Any) -> None:
    assert handed.state == RunState.SUCCEEDED, handed.failure
    follower = follower_of(house, handed)
    assert handed.output == {
        "text": "Handed over to Second.", "handed_over_to": "second", "run": str(follower.id),
    }  # fmt: skip
    assert house.steps(handed)[-1].state == StepState.SUCCEEDED
    assert house.events(handed)[-1] == "run.succeeded"
    assert (follower.relation, follower.session_id, follower.state) == (
        Relation.HANDOVER, handed.session_id, RunState.QUEUED,
    )  # fmt: skip
    with house.in_tenant():
        session = Session.objects.get(pk=handed.session_id)
    assert (session.agent_id, session.version_id) == (follower.agent_id, follower.version_id)
    assert session.target_id == follower.agent.target_id
    done = house.run(follower)
    assert (done.state, done.output) == (RunState.SUCCEEDED, {"text": "I went on."}), done.failure
    with house.in_tenant():
        assert AuditEntry.objects.filter(action="run.hand_over", run_id=handed.id).count() == 1


def test_what_was_submitted_to_the_session_before_is_still_the_same(house: Any, handed: Any) -> None:
    with house.in_tenant():
        session = Session.objects.select_related("agent__serving").get(pk=handed.session_id)
        Run.objects.filter(pk=handed.pk).update(submission="mail-1")
        again = start_run(actor=house.owner, agent=session.agent, title="t", input="Please help", session=session,
                          submission="mail-1")  # fmt: skip
    assert again.pk == handed.pk


def test_power_and_limits_only_narrow(house: Any, handed: Any) -> None:
    follower = follower_of(house, handed)
    assert follower.chain == [str(house.agent.id), *handed.chain]
    assert follower.deadline <= handed.deadline
    assert follower.budget <= handed.budget
    assert follower.depth == handed.depth + 1
    assert Label.from_json(follower.input_label).integrity is Integrity.UNTRUSTED
    assert follower.requester_id == handed.requester_id
    assert follower.parent_id is None


def test_what_the_follower_spends_counts_against_both(
    house: Any, say: Any, call: Any, add_agent: Any, equip: Any
) -> None:
    add_agent("second", [])
    # A call holds some 1,180 micro-units and costs 110: the former run's limit holds one call, and not another.
    equip(house, "remit.hand_over", delegates=["second"], run_budget=1_250)
    house.model.answers = {
        "worker": [call("remit.hand_over", agent="second", note="Go on.")],
        "second": [say("I went on.")],
    }
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    follower = follower_of(house, run)
    assert follower.state == RunState.FAILED
    assert "budget of the run" in follower.failure


def test_whoever_may_not_delegate_may_not_hand_over(make_house: Any, say: Any, call: Any, equip: Any) -> None:
    house = make_house()
    _agent(house, "second")
    house.policy("never", NEVER)
    equip(house, "remit.hand_over", delegates=["second"])
    house.model.answers = {"worker": [call("remit.hand_over", agent="second", note="Go on."), say("I stay.")]}
    run = house.run(house.start())
    assert run.output == {"text": "I stay."}, run.failure
    step = house.steps(run)[1]
    assert (step.kind, step.state) == (StepKind.TOOL_CALL, StepState.REFUSED)
    assert "never" in step.error


def test_only_to_those_that_the_version_names(house: Any, say: Any, call: Any, add_agent: Any, equip: Any) -> None:
    add_agent("second", [])
    equip(house, "remit.hand_over")
    house.model.answers = {"worker": [call("remit.hand_over", agent="second", note="Go on."), say("I stay.")]}
    run = house.run(house.start())
    assert run.output == {"text": "I stay."}
    assert "may not delegate to second" in house.steps(run)[1].error


def test_a_delegated_run_answers_instead(house: Any, say: Any, call: Any, add_agent: Any, equip: Any) -> None:
    add_agent("third", [])
    _agent(house, "second", delegates=["third"], tools=("remit.hand_over",))
    equip(house, delegates=["second"])
    house.model.answers = {
        "worker": [call("delegate.second", task="x"), say("Done.")],
        "second": [call("remit.hand_over", agent="third", note="Go on."), say("I answer.")],
    }
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    assert house.steps(run)[1].output == {"text": "I answer."}


def test_two_agents_cannot_hand_over_for_ever(house: Any, call: Any, equip: Any) -> None:
    _agent(house, "second", delegates=["worker"], tools=("remit.hand_over",))
    equip(house, "remit.hand_over", delegates=["second"], max_steps=4)
    house.model.answers = {
        "worker": [call("remit.hand_over", agent="second", note="You.")],
        "second": [call("remit.hand_over", agent="worker", note="No, you.")],
    }
    run = house.start()
    house.run(run)
    with house.in_tenant():
        runs = list(Run.objects.filter(session_id=run.session_id).order_by("depth"))
    assert [one.depth for one in runs] == list(range(6))
    assert runs[-1].state == RunState.FAILED
    assert "limited to 5 levels" in house.steps(runs[-1])[1].error


@pytest.fixture
def about_to(house: Any, say: Any, call: Any, add_agent: Any, equip: Any, monkeypatch: Any) -> Any:
    """`about_to(act)`: a run whose model wants to hand over; `act` is done while the model is asked."""
    add_agent("second", [])
    equip(house, "remit.hand_over", delegates=["second"])
    house.model.answers = {
        "worker": [call("remit.hand_over", agent="second", note="Go on.")],
        "second": [say("I went on.")],
    }
    run, real = house.start(), calls.call_model

    def given(act: Any) -> Run:
        def meanwhile(*rest: Any) -> Any:
            answer = real(*rest)
            with house.in_tenant():
                act(actor=house.owner, run=run)
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(calls, "call_model", meanwhile)
            return house.run(run)

    return given


def has_followers(house: Any, run: Run) -> bool:
    with house.in_tenant():
        return Run.objects.filter(former_id=run.pk).exists()


def test_a_run_that_is_cancelled_hands_nothing_over(house: Any, about_to: Any) -> None:
    run = about_to(cancel_run)
    assert (run.state, has_followers(house, run)) == (RunState.CANCELLED, False)
    assert [step.state for step in house.steps(run)] == [StepState.SUCCEEDED]
    with house.in_tenant():
        assert Session.objects.get(pk=run.session_id).agent_id == run.agent_id


def test_a_run_that_is_paused_hands_over_when_it_is_resumed(house: Any, about_to: Any) -> None:
    run = about_to(pause_run)
    assert (run.state, run.waits_for, has_followers(house, run)) == (RunState.WAITING, Wait.PAUSE, False)
    with house.in_tenant():
        resume_run(actor=house.owner, run=run)
    assert house.run(run).state == RunState.SUCCEEDED
    assert house.read(follower_of(house, run)).state == RunState.SUCCEEDED


def _agent(house: Any, slug: str, delegates: list[str] | None = None, tools: tuple[str, ...] = ()) -> None:
    """One more agent, with its budget."""
    from_house = house.agent
    with house.in_tenant():
        sponsor = type(from_house).objects.get(pk=from_house.pk).sponsor
        agent = create_agent(
            actor=house.owner, team=house.team, slug=slug, name=slug.title(), purpose="Works", sponsor=sponsor
        )
        version = publish_version(
            actor=house.owner, agent=agent, instructions=slug, language_model=house.language_model, tools=tools,
            delegates=delegates or [], max_output_tokens=100,
        )  # fmt: skip
        serve_version(actor=house.owner, agent=agent, version=version)
        found = type(from_house).objects.get(pk=agent.pk)
        activate_agent(actor=shell_actor(house.organisation.id), agent=found, reason="ready")
        set_budget(
            actor=house.owner, scope="agent", scope_id=agent.id, target=agent.target, limit=1_000_000, currency="EUR"
        )


def test_whoever_may_not_delegate_any_more_may_still_hand_over(
    house: Any, say: Any, call: Any, add_agent: Any, equip: Any
) -> None:
    """The ceiling is one on runs side by side: handing over ends this one."""
    add_agent("second", [])
    equip(house, "remit.hand_over", delegates=["second"], max_children=1)
    house.model.answers = {
        "worker": [[*call("delegate.second", task="a"), *call("delegate.second", task="b")],
                   call("remit.hand_over", agent="second", note="Go on.")],
        "second": [say("I went on.")],
    }  # fmt: skip
    house.model.answer = lambda request: house.model.answers[request["instructions"]][
        request["instructions"] == "worker" and len(request["input"]) > 1
    ]
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    assert [step.state for step in house.steps(run)] == [
        StepState.SUCCEEDED, StepState.SUCCEEDED, StepState.REFUSED, StepState.SUCCEEDED, StepState.SUCCEEDED,
    ]  # fmt: skip
    assert house.read(follower_of(house, run)).state == RunState.SUCCEEDED
