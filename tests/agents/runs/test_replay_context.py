"""A replay sums up, and leaves out, where its run did, whatever its session and its model have become since."""

from typing import Any

import pytest

from agents.catalogue.models import LanguageModel
from agents.runs.control import fork_run
from agents.runs.models import Run, RunState, Step
from agents.runs.sessions import set_memory
from agents.runs.window import is_compaction
from tests.agents.runs.test_context import Talker, _bytes_are_tokens, reads_on, serve, start, talk, talker
from tests.agents.runs.test_replay import hashes, replayed

__all__ = ["_bytes_are_tokens", "talker"]


def changed(house: Any, session: Any, what: str) -> None:
    with house.in_tenant():
        if what == "memory":
            set_memory(actor=house.owner, session=session, name="note", value="x" * 700)
        else:
            LanguageModel.objects.filter(pk=house.language_model.pk).update(
                context_window={"smaller": 1_500, "larger": 100_000}[what]
            )


def marks(house: Any, run: Run) -> list[tuple[bool, bool]]:
    """Of each call of the model whether it summed up, and whether it was the first to leave something out."""
    return [(is_compaction(step), "dropped" in step.input) for step in house.steps(run)]


@pytest.mark.parametrize("what", ["memory", "smaller", "larger"])
@pytest.mark.parametrize("truncation", ["compact", "drop", "refuse"])
def test_it_is_shown_as_much_as_its_run_was(house: Any, talker: Talker, truncation: str, what: str) -> None:
    serve(house, truncation, context_tokens=0 if what == "larger" else 3_000)
    if what == "larger":
        with house.in_tenant():
            LanguageModel.objects.filter(pk=house.language_model.pk).update(context_window=3_100)
    session, runs = talk(house, 4)
    assert {run.state for run in runs} == ({RunState.SUCCEEDED} if truncation != "refuse" else
                                           {RunState.SUCCEEDED, RunState.FAILED})  # fmt: skip
    before = [marks(house, run) for run in runs]
    assert any(any(one) for run in before for one in run) == (truncation != "refuse")
    with house.in_tenant():
        fork = fork_run(actor=house.owner, run=runs[2], step=len(house.steps(runs[2])))
    runs.append(house.run(fork))
    changed(house, session, what)
    for run in runs:
        with house.in_tenant():
            if not Step.objects.filter(run_id=run.pk).exists():
                continue
        made = replayed(house, run)
        assert len(hashes(house, run, made, replayed(house, made))) == 1, made.failure
        assert marks(house, made) == marks(house, run)


@pytest.mark.parametrize("truncation", ["compact", "drop"])
def test_so_is_a_run_that_left_out_its_own_rounds_and_a_fork_that_shares_them(
    house: Any, talker: Talker, say: Any, call: Any, truncation: str
) -> None:
    serve(house, truncation)
    reads_on(house, talker, say, call)
    run = house.run(start(house, None, "Read it all."))
    assert run.state == RunState.SUCCEEDED, run.failure
    assert any(any(one) for one in marks(house, run))
    house.model.answer = lambda _: say("Enough.")
    with house.in_tenant():
        made = fork_run(actor=house.owner, run=run, step=len(house.steps(run)) - 1)
    made = house.run(made)
    assert made.state == RunState.SUCCEEDED, made.failure
    changed(house, None, "smaller")
    for one in (run, made):
        again = replayed(house, one)
        assert len(hashes(house, one, again, replayed(house, again))) == 1, again.failure
        assert marks(house, again) == marks(house, one)
