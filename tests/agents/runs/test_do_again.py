"""A call in doubt that a person wants done again is an act like any other: judged, asked about and paid anew."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.runs import calling
from agents.runs.models import Run, RunState, Step, StepState
from agents.runs.services import cancel_run, resolve_unknown
from agents.tools.models import Tool
from agents.tools.port import ToolOutput
from foundation.organisations.models import GrantTarget
from governance.approvals.models import ApprovalRequest
from governance.approvals.services import approve, deny
from governance.budgets.models import Budget, LedgerEntry
from governance.budgets.services import set_budget
from governance.policies.models import PolicyDecision
from tests.houses import WitnessKind

PRICE = 500
FORBID = '@id("never") forbid (principal, action, resource == Tool::"witness.effect");'
ASK = (
    '@id("careful") @ask("Once more?") @approvers("operator") @quorum("1") @expires("1h") @risk("low")\n'
    'forbid (principal, action, resource == Tool::"witness.effect") unless { context.approved };'
)


def doubtful(house: Any, say: Any, call: Any, tool: str = "witness.effect") -> Run:
    """A run whose priced call broke off after it was done."""
    with house.in_tenant():
        Tool.objects.filter(name=tool).update(price=PRICE)
    house.model.answers = {"worker": [call(tool, note="break"), say("Done.")]}
    run = house.run(house.start())
    while run.waits_for == "timer":
        past = datetime.now(UTC) - timedelta(seconds=1)
        with house.in_tenant():
            Run.objects.filter(pk=run.pk).update(wake_at=past)
        run = house.run(run)
    assert (run.state, run.waits_for) == (RunState.WAITING, "person"), run.failure
    return run


def again(house: Any, run: Run) -> Run:
    """A person says that it did not happen, and is to be done."""
    with house.in_tenant():
        resolve_unknown(actor=house.owner, run=run, number=2, outcome="retry", evidence="Nothing there.")
    return house.run(run)


@pytest.fixture
def mend(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """`mend()`: the witness breaks no more."""
    former = WitnessKind.call

    def called(self: WitnessKind, request: Any) -> ToolOutput:
        try:
            return former(self, request)
        except ConnectionResetError:
            return ToolOutput({"written": "after all"})

    return lambda: monkeypatch.setattr(WitnessKind, "call", called)


def paid(house: Any, run: Run) -> int:
    """What the ledger has of a run; nothing is left held, and run and steps say the same."""
    with house.in_tenant():
        rows = LedgerEntry.objects.filter(run_id=run.id, kind__in=["settle", "overrun"])
        ledger = sum(rows.values_list("amount", flat=True))
        assert not Budget.objects.exclude(reserved=0).exists()
    assert house.read(run).cost == ledger == sum(step.cost for step in house.steps(run))
    return ledger


def leave(house: Any, amount: int) -> None:
    """So much is left in the agent's budget."""
    with house.in_tenant():
        settled = Budget.objects.get(scope="agent", scope_id=house.agent.id).settled
        set_budget(actor=house.owner, scope="agent", scope_id=house.agent.id, limit=settled + amount, currency="EUR",
                   target=GrantTarget.objects.get(pk=house.agent.id))  # fmt: skip


def decisions(house: Any, step: Step) -> list[tuple[str, bool]]:
    """The decisions on a step, and whether it carries them."""
    with house.in_tenant():
        rows = PolicyDecision.objects.filter(run_id=step.run_id, step=step.number).order_by("at", "id")
        return [(one.effect, one.id == step.decision_id) for one in rows]


def test_it_is_decided_and_paid_anew(house: Any, say: Any, call: Any, mend: Any) -> None:
    run = doubtful(house, say, call)
    before = paid(house, run)
    mend()
    run = again(house, run)
    assert run.state == RunState.SUCCEEDED, run.failure
    step = house.steps(run)[1]
    assert (step.state, step.attempt, step.cost) == (StepState.SUCCEEDED, 2, 2 * PRICE)
    assert decisions(house, step) == [("allow", False), ("allow", True)]
    assert len({key for _, key, _ in house.lines()}) == 1
    assert paid(house, run) > before + PRICE, "and the model's last answer"
    assert house.events(run).count("step.repeated") == 1


def test_in_doubt_again_it_is_booked_again(house: Any, say: Any, call: Any) -> None:
    run = doubtful(house, say, call)
    before = paid(house, run)
    run = again(house, run)
    assert (run.waits_for, len(house.lines())) == ("person", 2)
    assert paid(house, run) == before + PRICE


def test_what_a_policy_forbids_by_now_is_refused(house: Any, say: Any, call: Any) -> None:
    run = doubtful(house, say, call)
    house.policy("never", FORBID)
    run = again(house, run)
    step = house.steps(run)[1]
    assert len(house.lines()) == 1
    assert (step.state, step.attempt, step.verdict["effect"], step.cost) == (StepState.REFUSED, 1, "deny", PRICE)
    assert decisions(house, step) == [("allow", False), ("deny", True)]
    assert run.state == RunState.SUCCEEDED, "the agent is told"
    assert "refused" in house.model.asked[-1]["input"][-1]["output"]
    assert "step.refused" in house.events(run)
    paid(house, run)


def test_what_is_disabled_by_now_is_refused(house: Any, say: Any, call: Any) -> None:
    run = doubtful(house, say, call)
    with house.in_tenant():
        Tool.objects.filter(name="witness.effect").update(state="disabled")
    run = again(house, run)
    assert (house.steps(run)[1].state, len(house.lines())) == (StepState.REFUSED, 1)
    assert "disabled" in house.steps(run)[1].error


def test_what_nobody_can_pay_is_refused(house: Any, say: Any, call: Any) -> None:
    run = doubtful(house, say, call)
    leave(house, PRICE - 100)
    run = again(house, run)
    step = house.steps(run)[1]
    assert (step.state, step.verdict["cause"], len(house.lines())) == (StepState.REFUSED, "budget", 1)
    paid(house, run)


def test_it_waits_for_money_where_the_version_says_so(house: Any, say: Any, call: Any, equip: Any, mend: Any) -> None:
    equip(house, "witness.effect", on_exhausted="wait")
    run = doubtful(house, say, call)
    mend()
    leave(house, PRICE - 100)
    run = again(house, run)
    assert (run.state, run.waits_for, len(house.lines())) == (RunState.WAITING, "budget", 1)
    leave(house, 1_000_000)
    run = house.run(run)
    assert (run.state, len(house.lines())) == (RunState.SUCCEEDED, 2), run.failure
    paid(house, run)


def test_people_are_asked_where_a_policy_asks_by_now(house: Any, say: Any, call: Any, mend: Any) -> None:
    run = doubtful(house, say, call)
    mend()
    house.policy("careful", ASK)
    run = again(house, run)
    assert (run.state, run.waits_for, len(house.lines())) == (RunState.WAITING, "approval", 1)
    assert [step.state for step in house.steps(run)[1:]] == [StepState.INTENDED, StepState.WAITING]
    with house.in_tenant():
        request = ApprovalRequest.objects.get(run=run)
        approve(actor=house.approver, request=request, digest=request.digest)
    run = house.run(run)
    assert (run.state, len(house.lines())) == (RunState.SUCCEEDED, 2), run.failure
    assert [step.state for step in house.steps(run)[1:]] == [StepState.SUCCEEDED] * 3
    assert house.steps(run)[1].attempt == 2
    paid(house, run)


def test_whoever_is_asked_may_say_no(house: Any, say: Any, call: Any) -> None:
    run = doubtful(house, say, call)
    house.policy("careful", ASK)
    run = again(house, run)
    with house.in_tenant():
        deny(actor=house.approver, request=ApprovalRequest.objects.get(run=run), reason="Not today.")
    run = house.run(run)
    assert [step.state for step in house.steps(run)[1:3]] == [StepState.REFUSED, StepState.REFUSED]
    assert "Not today." in house.steps(run)[1].error
    assert (run.state, len(house.lines())) == (RunState.SUCCEEDED, 1)


def test_a_run_that_ends_before_it_leaves_no_doubt(house: Any, say: Any, call: Any) -> None:
    run = doubtful(house, say, call)
    house.policy("careful", ASK)
    run = again(house, run)
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)
    run = house.run(run)
    step = house.steps(run)[1]
    assert (run.state, step.state, len(house.lines())) == (RunState.CANCELLED, StepState.FAILED, 1)
    assert "did not happen" in step.error
    paid(house, run)


def test_an_idempotent_call_that_tried_in_vain_is_no_other_case(house: Any, say: Any, call: Any) -> None:
    run = doubtful(house, say, call, "witness.idempotent")
    tried, before = len(house.lines()), paid(house, run)
    run = again(house, run)
    assert (run.waits_for, len(house.lines())) == ("person", tried + 1)
    assert paid(house, run) == before + PRICE
    leave(house, PRICE - 100)
    assert house.steps(again(house, run))[1].state == StepState.REFUSED


def test_what_is_called_again_by_itself_is_still_paid_for(
    house: Any, say: Any, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker ended between the intent and the outcome: what was held still is, and is booked once."""
    with house.in_tenant():
        Tool.objects.filter(name="witness.idempotent").update(price=PRICE)
    house.model.answers = {"worker": [call("witness.idempotent", note="x"), say("Done.")]}
    with monkeypatch.context() as fault:
        fault.setattr(calling.calls, "call_tool", None)
        run = house.run(house.start())
    assert [step.state for step in house.steps(run)] == [StepState.SUCCEEDED, StepState.INTENDED]
    with house.in_tenant():
        assert Budget.objects.filter(scope="run", scope_id=run.id, reserved=PRICE).exists()
        Run.objects.filter(pk=run.pk).update(wake_at=datetime.now(UTC) - timedelta(seconds=1))
    run = house.run(run)
    step = house.steps(run)[1]
    assert (run.state, step.attempt, step.cost) == (RunState.SUCCEEDED, 2, PRICE), run.failure
    assert decisions(house, step) == [("allow", True)]
    paid(house, run)
