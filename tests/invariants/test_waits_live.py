"""No wake-up is lost: a run that waits for people, time, events, and children side by side, in any order of events."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version
from agents.runs import engine
from agents.runs.control import pause_run, resume_run
from agents.runs.models import ENDED, Callback, InputRequest, Run, Step
from agents.runs.services import cancel_run
from agents.runs.taking import take
from agents.runs.waits import answer_question, receive_callback, show_secret
from foundation.api.signatures import sign
from foundation.errors import ConflictError

PAST = datetime(2020, 1, 1, tzinfo=UTC)


class Family(RuleBasedStateMachine):
    """A run that delegates to two agents at once (one asks a person), then asks, sleeps, and waits for a call."""

    house: Any
    turns: dict[str, Any]

    @initialize()
    def begin(self) -> None:
        self.house.model.answers = self.turns
        self.root = self.house.start()
        self.ended: dict[Any, str] = {}

    def all(self) -> list[Run]:
        """The run and those below it, the root first."""
        if not hasattr(self, "root"):
            return []
        with self.house.in_tenant():
            return list(Run.objects.filter(root_id=self.root.id).order_by("depth", "id"))

    def one(self, place: int) -> Run:
        """One of them."""
        runs = self.all()
        return runs[place % len(runs)]

    @rule(place=st.integers(0, 2))
    def work(self, place: int) -> None:
        engine.advance(self.one(place).id)

    @rule(place=st.integers(0, 2))
    def take_and_die(self, place: int) -> None:
        run = self.one(place)
        if take("doomed", 30, [run.id]):
            with self.house.in_tenant():
                Run.objects.filter(pk=run.pk, crashes__gt=2).update(crashes=2)
                Run.objects.filter(pk=run.pk).update(lease_until=PAST)

    @rule()
    def answer(self) -> None:
        with self.house.in_tenant():
            questions = list(InputRequest.objects.filter(run__root_id=self.root.id))
        for question in questions:
            self.try_to(answer_question, request=question, answer={"answer": "Yes."})

    @rule()
    def phone(self) -> None:
        with self.house.in_tenant():
            callbacks = list(Callback.objects.filter(run__root_id=self.root.id, received_at=None))
        for callback in callbacks:
            with self.house.in_tenant():
                secret = show_secret(actor=self.house.owner, callback=callback)
            now = int(time.time())
            headers = {"Remit-Timestamp": str(now), "Remit-Signature": sign(secret, now, b"1")}
            try:
                with self.house.in_tenant():
                    receive_callback(callback.id, b"1", headers)
            except ConflictError:
                assert callback.run.state in ENDED or callback.expires_at <= datetime.now(UTC)

    @rule()
    def let_time_pass(self) -> None:
        """Whatever has a time is over: questions, addresses, timers; but not the runs themselves."""
        with self.house.in_tenant():
            below = Run.objects.filter(root_id=self.root.id)
            InputRequest.objects.filter(run__in=below).update(expires_at=PAST)
            Callback.objects.filter(run__in=below).update(expires_at=PAST)
            for step in Step.objects.filter(run_id__in=below, state="waiting", name="remit.wait"):
                Step.objects.filter(run_id=step.run_id, number=step.number).update(output={"until": PAST.isoformat()})
            below.filter(state="waiting", waits_for__in=["input", "event", "timer"]).update(wake_at=PAST)

    @rule(place=st.integers(0, 2))
    def cancel(self, place: int) -> None:
        if place:
            # Seldom the root: it ends everything.
            self.try_to(cancel_run, run=self.one(place))

    @rule()
    def pause(self) -> None:
        self.try_to(pause_run, run=self.root)

    @rule()
    def resume(self) -> None:
        self.try_to(resume_run, run=self.root)

    def try_to(self, verb: Any, **given: Any) -> None:
        """As a person does, who may be too late."""
        try:
            with self.house.in_tenant():
                verb(actor=self.house.owner, **given)
        except ConflictError:
            pass

    @invariant()
    def nothing_waits_for_what_has_come(self) -> None:
        for run in self.all():
            if run.state == "waiting" and (run.wake_at is None or run.wake_at > datetime.now(UTC)):
                assert self.is_outstanding(run), f"{run.title} waits for {run.waits_for}, which has come"

    def is_outstanding(self, run: Run) -> bool:
        """Whether what a run waits for is still to come."""
        with self.house.in_tenant():
            match run.waits_for:
                case "input":
                    return InputRequest.objects.get(pk=run.waits_on).state == "open"
                case "event":
                    return Callback.objects.get(pk=run.waits_on).received_at is None
                case "child":
                    return Run.objects.filter(parent_id=run.id).exclude(state__in=ENDED).exists()
                case "pause":
                    return run.pause_requested
        return run.waits_for == "timer"

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        for run in self.all():
            assert self.ended.get(run.id, run.state) == run.state
            if run.state in ENDED:
                self.ended[run.id] = run.state
                assert self.house.events(run)[-1] == f"run.{run.state}"
                with self.house.in_tenant():
                    assert not InputRequest.objects.filter(run=run, state="open").exists()
                    assert not Step.objects.filter(run_id=run.id, state__in=["waiting", "intended"]).exists()

    def teardown(self) -> None:
        """However it went, whoever answers and waits sees the end."""
        for _ in range(12):
            if all(run.state in ENDED for run in self.all()):
                break
            self.resume()
            self.answer()
            self.phone()
            self.let_time_pass()
            for run in reversed(self.all()):
                engine.advance(run.id)
            self.nothing_waits_for_what_has_come()
        assert all(run.state in ENDED for run in self.all()), [(run.state, run.waits_for) for run in self.all()]
        self.what_has_ended_stays_so()


@pytest.mark.slow
def test_no_order_of_events_loses_a_wake_up(house: Any, say: Any, call: Any, add_agent: Any) -> None:
    for slug, tools in (("red", ["remit.ask_person"]), ("green", []), ("worker", [])):
        agent = house.agent if slug == "worker" else add_agent(slug, [])
        given = tools or ["remit.ask_person", "remit.wait", "remit.wait_for_event"]
        with house.in_tenant():
            found = Agent.objects.get(pk=agent.pk)
            version = publish_version(
                actor=house.owner, agent=found, instructions=slug, language_model=house.language_model, tools=given,
                delegates=["red", "green"] if slug == "worker" else [], max_output_tokens=100, run_budget=1_000_000,
                max_steps=100,
            )  # fmt: skip
            served = serve_version(actor=house.owner, agent=found, version=version)
        house.agent = served if slug == "worker" else house.agent
    together = [*call("delegate.red", task="a"), *call("delegate.green", task="b")]
    ask = call("remit.ask_person", question="May I?")

    class Here(Family):
        turns = {
            "worker": [together, together, ask, call("remit.wait", seconds=600),
                       call("remit.wait_for_event", name="parcel"), say("Done.")],
            "red": [ask, say("Red.")],
            "green": [say("Green.")],
        }  # fmt: skip

    Here.house = house
    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=15, stateful_step_count=14, deadline=None,
                          suppress_health_check=list(HealthCheck)),
    )  # fmt: skip
