"""A session that outgrows its model's context: refused, left out, or summed up."""

from typing import Any

import pytest

from agents.catalogue.services import add_language_model, set_price
from agents.labels import Integrity, Label
from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version
from agents.runs import compaction
from agents.runs.control import fork_run, replay_run
from agents.runs.engine import advance
from agents.runs.items import items_of
from agents.runs.models import Event, Run, RunState, Session, Step, Summary
from agents.runs.services import start_run
from agents.runs.sessions import move_session, open_session
from agents.runs.traces import trace_hash
from agents.runs.window import is_compaction

LIMIT = 3_000
LONG = "word " * 120  # 600 bytes and some


def serve(house: Any, truncation: str, **more: Any) -> None:
    with house.in_tenant():
        values = {"delegates": [], "tools": ["witness.read"], "context_tokens": LIMIT, "run_budget": 1_000_000} | more
        version = publish_version(
            actor=house.owner, agent=house.agent, instructions="worker", language_model=house.language_model,
            max_output_tokens=100, truncation=truncation, **values,
        )  # fmt: skip
        serve_version(actor=house.owner, agent=house.agent, version=version)
        house.agent = Agent.objects.select_related("serving").get(pk=house.agent.pk)


def start(house: Any, session: Session | None, text: str, **more: Any) -> Run:
    with house.in_tenant():
        return start_run(actor=house.owner, agent=house.agent, title="t", input=text, session=session, **more)


class Talker:
    """A model that answers, and sums up when it is asked to. `counts`: what it says that a request had in tokens."""

    def __init__(self, house: Any, say: Any) -> None:
        self.house, self.say, self.summaries = house, say, ["The sum of it."]
        self.summed_up: list[str] = []
        self.seen: list[list[Any]] = []
        house.model.answer = self.answer

    def answer(self, request: dict[str, Any]) -> Any:
        if request["instructions"] == compaction.INSTRUCTIONS:
            self.summed_up.append(request["input"][0]["content"])
            assert not request.get("tools")
            return self.say(self.summaries[min(len(self.summed_up), len(self.summaries)) - 1])
        self.seen.append(request["input"])
        return self.say(f"Answer {len(self.seen)}. {LONG}")


@pytest.fixture
def talker(house: Any, say: Any) -> Talker:
    return Talker(house, say)


@pytest.fixture(autouse=True)
def _bytes_are_tokens(monkeypatch: Any) -> None:
    # The scripted endpoint always reports 100 tokens: taken at its word, everything would seem to fit.
    monkeypatch.setattr("agents.runs.context.scale_of", lambda *_: 1.0)
    monkeypatch.setattr("agents.runs.past.scale_of", lambda *_: 1.0)


def talk(house: Any, turns: int, session: Session | None = None) -> tuple[Session, list[Run]]:
    if session is None:
        with house.in_tenant():
            session = open_session(actor=house.owner, agent=house.agent)
    runs = [house.run(start(house, session, f"Question {number}. {LONG}")) for number in range(turns)]
    return session, runs


def test_refusing_stops_with_a_sentence(house: Any, talker: Talker) -> None:
    serve(house, "refuse")
    _, runs = talk(house, 3)
    assert [run.state for run in runs] == ["succeeded", "succeeded", "failed"]
    assert "does not fit into the model's context" in runs[-1].failure
    assert len(talker.seen) == 2


def test_dropping_leaves_out_whole_exchanges_and_says_so(house: Any, talker: Talker) -> None:
    serve(house, "drop", context_tokens=4_000)
    _, runs = talk(house, 6)
    assert {run.state for run in runs} == {"succeeded"}
    assert talker.summed_up == []
    for number, seen in enumerate(talker.seen):
        assert [one["role"] for one in seen] == ["user", "assistant"] * (len(seen) // 2) + ["user"]
        assert seen[-1]["content"].startswith(f"Question {number}.")
        assert sum(len(one["content"]) for one in seen) < 4_000
    assert [len(seen) for seen in talker.seen] == [1, 3, 5, 3, 5, 3]
    assert "context.dropped" in house.events(runs[3])
    assert house.steps(runs[3])[0].input["dropped"] == {"run": str(runs[2].id), "step": 0}


def test_compaction_puts_a_summary_in_the_place_of_the_oldest(house: Any, talker: Talker) -> None:
    serve(house, "compact")
    session, runs = talk(house, 3)
    assert {run.state for run in runs} == {"succeeded"}
    steps = house.steps(runs[2])
    assert [is_compaction(step) for step in steps] == [True, False]
    assert steps[0].cost == 110, "it is paid like any call"
    assert steps[0].decision_id is not None
    assert "Question 0." in talker.summed_up[0]
    assert "Question 2." not in talker.summed_up[0]
    last = talker.seen[-1]
    assert "The sum of it." in last[0]["content"]
    assert last[-1]["content"].endswith(f"Question 2. {LONG}")
    assert not any("Question 0." in one["content"] for one in last)
    with house.in_tenant():
        summary = Summary.objects.get(session=session)
        seen = Session.objects.get(pk=session.pk)
        assert [item.kind for part in items_of(session) for item in part].count("summary") == 1
    assert steps[0].output["summary"] == str(summary.id)
    assert summary.lineage["former"] is None
    assert summary.lineage["items"] in {2, 4}
    assert summary.lineage["digest"].startswith("sha256:")
    assert Label.from_json(summary.label).integrity is Integrity.UNTRUSTED
    assert Label.from_json(summary.label).sources <= Label.from_json(seen.label).sources
    assert "context.compacted" in house.events(runs[2])


def test_a_summary_that_the_endpoint_did_not_count_is_estimated(house: Any, talker: Talker) -> None:
    serve(house, "compact", max_tokens=1_000)
    session, runs = talk(house, 2)
    assert {run.state for run in runs} == {"succeeded"}
    house.model.counts = False
    run = house.run(start(house, session, f"Question 2. {LONG}"))
    assert len(talker.summed_up) == 1
    assert run.state == RunState.FAILED
    assert "limit of 1,000 tokens" in run.failure
    assert "by estimate" in run.failure


def test_a_later_summary_holds_the_former_one(house: Any, talker: Talker) -> None:
    serve(house, "compact")
    talker.summaries = ["First sum.", "Second sum.", "Third sum."]
    session, runs = talk(house, 6)
    assert {run.state for run in runs} == {"succeeded"}
    assert len(talker.summed_up) >= 2
    assert talker.summed_up[1].startswith("[summary so far]\nFirst sum.")
    with house.in_tenant():
        summaries = list(Summary.objects.filter(session=session).order_by("created_at"))
    assert summaries[1].lineage["former"] == str(summaries[0].id)
    assert all(sum(len(one["content"]) for one in seen) < LIMIT for seen in talker.seen)


def reads_on(house: Any, talker: Talker, say: Any, call: Any) -> list[Any]:
    """The model reads four long things one after the other, and is done; what it is shown at each turn."""
    real, asked = talker.answer, []

    def answer(request: dict[str, Any]) -> Any:
        if request["instructions"] == compaction.INSTRUCTIONS:
            return real(request)
        asked.append(request["input"])
        return call("witness.read", note=f"{len(asked)} {LONG}") if len(asked) < 5 else say("Done.")

    house.model.answer = answer
    return asked


def test_a_run_sums_up_its_own_older_rounds(house: Any, talker: Talker, say: Any, call: Any) -> None:
    serve(house, "compact")
    asked = reads_on(house, talker, say, call)
    run = house.run(start(house, None, "Read it all."))
    assert run.state == RunState.SUCCEEDED, run.failure
    assert len(talker.summed_up) >= 1
    for items in asked:
        assert items[0]["content"].endswith("Read it all.")
        calls = [one["call_id"] for one in items if one.get("type") == "function_call"]
        assert calls == [one["call_id"] for one in items if one.get("type") == "function_call_output"]


@pytest.mark.parametrize("truncation", ["compact", "drop"])
def test_what_a_run_was_asked_that_cut_its_own_rounds_is_shown_to_the_next(
    house: Any, talker: Talker, say: Any, call: Any, truncation: str
) -> None:
    serve(house, truncation)
    reads_on(house, talker, say, call)
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)
    run = house.run(start(house, session, "Read it all."))
    assert run.state == RunState.SUCCEEDED, run.failure
    house.model.answer = lambda _: say("Yes.")
    again = house.run(start(house, session, "Once more?"))
    assert again.state == RunState.SUCCEEDED, again.failure
    seen = house.model.asked[-1]["input"]
    assert seen[0]["content"].endswith("Read it all."), "what was asked stands before what was done"
    assert seen[-1]["content"] == "Once more?"
    calls = [one["call_id"] for one in seen if one.get("type") == "function_call"]
    assert calls == [one["call_id"] for one in seen if one.get("type") == "function_call_output"]
    assert 0 < len(calls) < 4, "the oldest rounds are left out"


@pytest.mark.parametrize("answer", ["", LONG * 9])
def test_a_summary_that_is_none_falls_back_to_leaving_out(house: Any, talker: Talker, answer: str) -> None:
    serve(house, "compact")
    talker.summaries = [answer]
    session, runs = talk(house, 3)
    assert {run.state for run in runs} == {"succeeded"}
    assert [step.state for step in house.steps(runs[2])] == ["failed", "succeeded"]
    events = house.events(runs[2])
    assert events.index("context.compaction_failed") < events.index("context.dropped")
    with house.in_tenant():
        assert not Summary.objects.filter(session=session).exists()


def test_an_endpoint_that_fails_falls_back_too(house: Any, talker: Talker) -> None:
    serve(house, "compact")
    session, _ = talk(house, 2)
    house.model.fail_with = [400]
    _, runs = talk(house, 1, session)
    assert runs[0].state == RunState.SUCCEEDED
    assert "could not be summed up" in house.steps(runs[0])[0].error


def test_a_refusal_of_the_gate_falls_back_too(house: Any, talker: Talker) -> None:
    serve(house, "compact")
    session, _ = talk(house, 2)
    serve(house, "compact", run_budget=1_500)
    with house.in_tenant():
        move_session(actor=house.owner, session=session, version=house.agent.serving)
    _, runs = talk(house, 1, session)
    assert runs[0].state == RunState.SUCCEEDED, runs[0].failure
    assert [step.state for step in house.steps(runs[0])] == ["refused", "succeeded"]
    assert "budget" in house.steps(runs[0])[0].error
    assert talker.summed_up == []


def test_a_crash_before_the_outcome_makes_one_summary(house: Any, talker: Talker, monkeypatch: Any) -> None:
    serve(house, "compact")
    session, _ = talk(house, 2)
    run, real = start(house, session, f"Question 2. {LONG}"), compaction._write

    def die(*_: Any) -> None:
        monkeypatch.setattr(compaction, "_write", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(compaction, "_write", die)
    with pytest.raises(KeyboardInterrupt):
        advance(run.id)
    with house.in_tenant():
        assert not Summary.objects.filter(session=session).exists()
        assert [step.state for step in Step.objects.filter(run_id=run.id)] == ["intended"]
        Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")
    done = house.run(run)
    assert done.state == RunState.SUCCEEDED, done.failure
    assert [(is_compaction(step), step.state) for step in house.steps(run)] == [
        (True, "failed"), (True, "succeeded"), (False, "succeeded")
    ]  # fmt: skip
    with house.in_tenant():
        assert Summary.objects.filter(session=session).count() == 1


def test_a_crash_after_the_outcome_sums_up_no_second_time(house: Any, talker: Talker, monkeypatch: Any) -> None:
    serve(house, "compact")
    session, _ = talk(house, 2)
    run, real = start(house, session, f"Question 2. {LONG}"), house.model.answer

    def answer(request: dict[str, Any]) -> Any:
        if request["instructions"] != compaction.INSTRUCTIONS and talker.summed_up and not died:
            died.append(1)
            with house.in_tenant():
                # As if this worker had died here: another one takes the run.
                Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")
            advance(run.id)
        return real(request)

    died: list[int] = []
    house.model.answer = answer
    done = house.run(run)
    assert done.state == RunState.SUCCEEDED, done.failure
    assert len(talker.summed_up) == 1
    with house.in_tenant():
        assert Summary.objects.filter(session=session).count() == 1
        kinds = list(Event.objects.filter(run_id=run.pk).values_list("kind", flat=True))
    assert kinds.count("context.compacted") == 1


def test_what_the_endpoint_counts_is_believed(house: Any, talker: Talker, monkeypatch: Any) -> None:
    monkeypatch.undo()
    serve(house, "refuse", context_tokens=2_000)
    _, runs = talk(house, 3)
    # The endpoint reports 100 tokens where the bound was more than 800: a quarter of the bytes is counted from then on.
    assert {run.state for run in runs} == {"succeeded"}


def test_what_another_models_endpoint_has_counted_is_not(house: Any, talker: Talker, monkeypatch: Any) -> None:
    monkeypatch.undo()
    serve(house, "compact")
    session, runs = talk(house, 4)
    assert {run.state for run in runs} == {"succeeded"}
    assert talker.summed_up == []
    with house.in_tenant():
        provider = house.language_model.provider
        house.language_model = add_language_model(
            actor=house.owner, provider=provider, slug="other", name="Other", wire_name="other", context_window=8_000,
            max_output=100,
        )  # fmt: skip
        set_price(actor=house.owner, language_model=house.language_model, currency="EUR", input_per_million=1_000_000,
                  output_per_million=1_000_000)  # fmt: skip
    serve(house, "compact")
    with house.in_tenant():
        move_session(actor=house.owner, session=session, version=house.agent.serving)
    _, runs = talk(house, 1, session)
    assert runs[0].state == RunState.SUCCEEDED, runs[0].failure
    assert talker.summed_up, "it counts bytes until its own endpoint has counted"


def test_a_replay_sums_up_as_the_run_did(house: Any, talker: Talker) -> None:
    serve(house, "compact")
    _, runs = talk(house, 3)
    before = len(house.model.asked)
    with house.in_tenant():
        made = replay_run(actor=house.owner, run=runs[2])
    again = house.run(made)
    assert again.state == RunState.SUCCEEDED, again.failure
    assert len(house.model.asked) == before, "nothing leaves"
    with house.in_tenant():
        assert trace_hash(again) == trace_hash(runs[2])


def test_a_replay_fails_to_sum_up_as_the_run_did(house: Any, talker: Talker) -> None:
    serve(house, "compact")
    talker.summaries = [""]
    _, runs = talk(house, 3)
    with house.in_tenant():
        made = replay_run(actor=house.owner, run=runs[2])
    again = house.run(made)
    assert again.state == RunState.SUCCEEDED, again.failure
    assert [step.state for step in house.steps(again)] == ["failed", "succeeded"]
    with house.in_tenant():
        assert trace_hash(again) == trace_hash(runs[2])


def test_a_fork_has_behind_it_what_the_run_had(house: Any, talker: Talker) -> None:
    serve(house, "compact")
    session, runs = talk(house, 3)
    with house.in_tenant():
        first = fork_run(actor=house.owner, run=runs[1], step=0)
        last = fork_run(actor=house.owner, run=runs[2], step=1)
    house.run(first)
    assert [one["content"][:10] for one in talker.seen[-1]] == ["Question 0", "Answer 1. ", "Question 1"]
    assert house.run(last).state == RunState.SUCCEEDED
    assert "The sum of it." in talker.seen[-1][0]["content"], "the summary that it shares"
    assert len(talker.summed_up) == 1
    with house.in_tenant():
        mine = Session.objects.get(pk=first.session_id)
        assert mine.pk != session.pk
    house.run(start(house, mine, "And then?"))
    assert "Question 0" in talker.summed_up[-1], "it goes on from what the fork had behind it"
    assert talker.seen[-1][-1]["content"].endswith("And then?")


def test_whoever_takes_the_session_over_sees_what_was_said(house: Any, say: Any, call: Any, add_agent: Any) -> None:
    add_agent("clerk", [])
    serve(house, "drop", context_tokens=0, tools=["remit.hand_over"], delegates=["clerk"])
    house.model.answers = {
        "worker": [call("remit.hand_over", agent="clerk", note="Go on.")],
        "clerk": [say("I do.")] * 2,
    }
    run = house.run(start(house, None, "Please help."))
    assert run.state == RunState.SUCCEEDED, run.failure
    seen = house.model.asked[-1]["input"]
    assert [one.get("role") or one["type"] for one in seen] == ["user", "function_call", "function_call_output", "user"]
    assert seen[0]["content"] == "Please help."
    with house.in_tenant():
        kinds = [item.kind for part in items_of(Session.objects.get(pk=run.session_id)) for item in part]
    assert kinds == ["message", "call", "output", "message", "message"]
