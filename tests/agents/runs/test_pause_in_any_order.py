"""Pauses and resumptions in any order with workers, their deaths, the clock, a canceller and approvers."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from agents.runs.control import pause_run, resume_run
from agents.runs.models import ENDED, Wait
from foundation.errors import ConflictError
from tests.invariants.test_runs_live import ASK_FIRST, OneRun


class PausedRun(OneRun):
    """One run that asks first, and is paused and resumed at any moment."""

    done_at_pause: int | None = None

    @rule()
    def pause(self) -> None:
        try:
            with self.house.in_tenant():
                pause_run(actor=self.house.owner, run=self.run)
        except ConflictError:
            row = self.row()
            assert row.pause_requested or row.cancel_requested or row.state in ENDED

    @rule()
    def resume(self) -> None:
        self.done_at_pause = None
        try:
            with self.house.in_tenant():
                resume_run(actor=self.house.owner, run=self.run)
        except ConflictError:
            row = self.row()
            assert not row.pause_requested or row.state in ENDED

    @invariant()
    def nothing_is_done_meanwhile(self) -> None:
        if not hasattr(self, "run"):
            return
        row = self.row()
        if row.waits_for == Wait.PAUSE:
            assert row.pause_requested, "it waits for the end of a pause that has ended"
        if not row.pause_requested:
            return
        done = (len(self.house.lines()), len(self.house.model.asked))
        if self.done_at_pause is None:
            self.done_at_pause = done
        assert done == self.done_at_pause, "an act during a pause"

    def teardown(self) -> None:
        """Resumed, it comes to its end."""
        if hasattr(self, "run") and self.row().pause_requested and self.row().state not in ENDED:
            self.resume()
        super().teardown()


@pytest.mark.slow
def test_no_order_of_pauses_loses_a_wake_up_or_does_anything_meanwhile(make_house: Any, say: Any, call: Any) -> None:
    place = make_house(ASK_FIRST, budget=10**12)

    class Here(PausedRun):
        house, turns = place, [call("witness.effect", note="once"), say("Done.")]

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=25, stateful_step_count=12, deadline=None, phases=(Phase.generate,),
                          suppress_health_check=list(HealthCheck)),
    )  # fmt: skip
