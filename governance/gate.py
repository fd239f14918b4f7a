"""The doorkeeper: policies, approvals and budgets composed into one verdict. Doubt refuses."""

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog

from agents.gate import APPROVED, Action, ActionKind, Admission, Effect, Settlement, Verdict
from agents.runs.clock import clock
from agents.runs.definitions import definitions_of, heard_of
from agents.runs.journal import DATABASE_AWAY, engine_transaction, release_connection
from foundation.batches import Batch, Cursor
from governance.approvals import engine as approvals
from governance.approvals.models import ApprovalState
from governance.budgets.engine import Books
from governance.budgets.statements import LOCKED, LOCKED_ROWS
from governance.decisions import write_down
from governance.policies.circumstances import facts_now, narrowed, party_of
from governance.policies.delegations import refusal_of
from governance.policies.facts import facts_digest
from governance.policies.standing import generation_of, heard_of_generation, standing

log = structlog.get_logger(__name__)


class Doorkeeper:
    """Implements `agents.gate.Gate`."""

    def prepare(self, actions: Sequence[Action]) -> list[Verdict]:
        """Judge actions: cheapest first, no locks, no writes; an error is a denial.

        Without the database nothing can be judged, nor could a denial be recorded: that error is raised, nothing is
        done, and the run is tried again.
        """
        return [self._judge(action) for action in actions]

    def commit(
        self, batch: Batch, verdicts: Sequence[Verdict], settlements: Sequence[Settlement]
    ) -> tuple[list[Admission], list[int]]:
        """Decide for good, under the policies of this very moment; one refused member does not abort the others."""
        books = Books.wanted(batch, [one.action for one in verdicts if one.effect is Effect.ALLOW], settlements)
        current = _locked(batch, verdicts, books)
        booked = [books.settle(settlement) for settlement in settlements]
        admissions = [_admit(batch, verdict, current, books) for verdict in verdicts]
        books.write(batch)
        decided = [
            (verdict, admission)
            for verdict, admission in zip(verdicts, admissions, strict=True)
            if not admission.retry and not _still_waits(verdict, admission)
        ]
        write_down(batch, decided)
        return admissions, booked

    def assume(
        self, batch: Batch, verdicts: Sequence[Verdict], settlements: Sequence[Settlement]
    ) -> tuple[list[Admission], list[int]] | None:
        """Allow what was judged so, if policies, definitions and budgets are as they were: the statement looks."""
        forces = {one.action.organisation: (one.generation, one.action.configuration) for one in verdicts}
        if not all(_is_plain(one, forces) for one in verdicts):
            return None
        books = Books.assumed([one.action for one in verdicts], settlements)
        if books is None:
            return None
        booked = [books.settle(settlement) for settlement in settlements]
        for verdict in verdicts:
            if verdict.action.kind is ActionKind.RUN_START:
                books.open_run(verdict.action)
            if books.reserve(verdict.action):
                return None
        if forces:
            batch.add("force", _IN_FORCE, [{"o": one, "g": force[0], "c": force[1]} for one, force in forces.items()])
            batch.answer("in force", _ALL_IN_FORCE)
        books.ask(batch)
        books.write(batch)
        admissions = [Admission(effect=Effect.ALLOW, reasons=verdict.reasons) for verdict in verdicts]
        write_down(batch, list(zip(verdicts, admissions, strict=True)))
        return admissions, booked

    def settle(self, batch: Batch, settlements: Sequence[Settlement]) -> list[int]:
        """Book the costs; the amounts booked."""
        books = Books.opened(batch, [], settlements)
        booked = [books.settle(settlement) for settlement in settlements]
        books.write(batch)
        return booked

    def close(self, cursor: Cursor, run: UUID) -> None:
        """What it has asked for is void."""
        approvals.close(cursor, run)

    def _judge(self, action: Action) -> Verdict:
        try:
            return _verdict_again(action)
        except DATABASE_AWAY:
            release_connection()
            raise
        except Exception as error:
            release_connection()
            log.exception("gate failed", run=str(action.run), step=action.step)
            reason = f"The gate could not judge this ({type(error).__name__}): {str(error)[:200]}"
            return Verdict(action=action, effect=Effect.DENY, reasons=(reason,))


def _verdict_again(action: Action) -> Verdict:
    try:
        return _verdict(action)
    except DATABASE_AWAY:
        # It may be no more than a connection that had died in the pool.
        release_connection()
        return _verdict(action)


def _verdict(action: Action) -> Verdict:
    known = definitions_of(action.organisation)
    generation = generation_of(action.organisation)

    def refused(reason: str) -> Verdict:
        return Verdict(action=action, effect=Effect.DENY, reasons=(reason,), generation=generation)

    if action.problem:
        return refused(action.problem)
    if action.estimate is None:
        return refused(
            f"There is no price for {action.target} in the organisation's currency: set one in the catalogue."
        )
    now = clock.now()
    if refusal := party_of(action, known).refusal or refusal_of(action, known, now):
        return refused(refusal)
    if action.stubbed and action.answered not in {"", APPROVED}:
        return refused(action.answered)
    policies = standing(action.organisation, generation, known.number)
    asked = _asked(action, generation)
    if asked is not None and asked.state is ApprovalState.WAITING:
        return Verdict(action=action, effect=Effect.ASK, generation=generation, standing="waiting")
    if asked is not None and (refusal := _answer(asked)):
        return refused(refusal)
    approved = asked is not None and asked.state is ApprovalState.APPROVED
    facts = facts_now(action, known, now=now, approved=approved or action.answered == APPROVED)
    decision = narrowed(policies, action, facts, known)
    plain = facts.as_json()
    return Verdict(
        action=action, effect=decision.effect, reasons=decision.reasons, determinants=decision.determinants,
        obligation=decision.obligation, generation=generation, facts=plain,
        facts_digest=facts_digest(plain, action.arguments_text),
        shadow=decision.shadow.effect.value if decision.shadow else "", standing="approved" if approved else "",
    )  # fmt: skip


def _asked(action: Action, generation: int) -> approvals.Standing | None:
    if action.approval is None or action.stubbed:
        return None
    with engine_transaction() as cursor:
        return approvals.standing_of(cursor, action, generation)


def _answer(asked: approvals.Standing) -> str:
    match asked.state:
        case ApprovalState.DENIED:
            return f"A person said no: {asked.reason}" if asked.reason else "A person said no."
        case ApprovalState.EXPIRED if asked.approved:
            return f"It was approved by {asked.approved}, but that ran out before it was used."
        case ApprovalState.EXPIRED:
            return "It was not approved in time, which means no."
        case ApprovalState.CONSUMED:
            return "This approval was already used."
    return ""


def _is_plain(verdict: Verdict, forces: Mapping[UUID, tuple[int, int]]) -> bool:
    """Whether nothing but money, policies and definitions can stand against it."""
    action = verdict.action
    return (
        verdict.effect is Effect.ALLOW and not verdict.standing and not action.stubbed
        and forces[action.organisation] == (verdict.generation, action.configuration)
    )  # fmt: skip


# As `_FORCE` below: whatever is not as it was judged is not found.
_IN_FORCE = """
SELECT g.id FROM json_to_recordset(:force) AS x(o uuid, g bigint, c bigint)
JOIN policies_policygeneration g ON g.organisation_id = x.o AND g.number = x.g
WHERE coalesce((SELECT c.number FROM organisations_configuration c WHERE c.organisation_id = x.o), 0) = x.c
ORDER BY g.organisation_id FOR SHARE OF g
"""
_ALL_IN_FORCE = "1 / (SELECT count(*) = json_array_length(:force) FROM force)::int"

# Policies are locked against a change until this transaction ends; a change of definitions is seen, not stopped.
_FORCE = """
force AS MATERIALIZED (SELECT g.organisation_id, g.number AS generation, coalesce((SELECT c.number
        FROM organisations_configuration c WHERE c.organisation_id = g.organisation_id), 0) AS configuration
    FROM policies_policygeneration g WHERE g.organisation_id = ANY(%(judged)s) ORDER BY g.organisation_id
    FOR SHARE OF g)
"""
_FORCE_ROWS = "(SELECT json_agg(json_build_array(organisation_id, generation, configuration)) FROM force)"


_LOCKS = {
    (True, True): f"WITH {_FORCE}, {LOCKED} SELECT {_FORCE_ROWS}, {LOCKED_ROWS}",
    (True, False): f"WITH {_FORCE} SELECT {_FORCE_ROWS}",
    (False, True): f"WITH {LOCKED} SELECT {LOCKED_ROWS}",
}


def _locked(batch: Batch, verdicts: Sequence[Verdict], books: Books) -> dict[UUID, tuple[int, int]]:
    """The generation of policies and the number of the configuration, by organisation; the books are locked."""
    organisations = list({verdict.action.organisation: None for verdict in verdicts})
    if not organisations and not books.is_needed:
        return {}
    statement = _LOCKS[bool(organisations), books.is_needed]
    batch.execute(statement, books.parameters | {"judged": organisations})
    answer = [json.loads(one) if isinstance(one, str) else one for one in batch.fetchone()]
    found = {UUID(one): (generation, number) for one, generation, number in (answer[0] or ())} if organisations else {}
    if books.is_needed:
        books.lock(batch, answer[-1])
    for organisation in organisations:
        generation, number = found.get(organisation, (0, 0))
        heard_of_generation(organisation, generation)
        heard_of(organisation, number)
    return found


def _admit(
    cursor: Cursor, verdict: Verdict, current: Mapping[UUID, tuple[int, int]], books: Books
) -> Admission:  # fmt: skip
    action = verdict.action
    generation, configuration = current.get(action.organisation, (0, 0))
    # A denial without a generation is one of doubt, and final.
    is_final = verdict.effect is Effect.DENY and not verdict.generation
    if not is_final and (generation, configuration) != (verdict.generation, action.configuration):
        return Admission(effect=Effect.DENY, reasons=("The policies or definitions changed meanwhile.",), retry=True)
    if verdict.effect is Effect.DENY:
        return Admission(effect=Effect.DENY, reasons=verdict.reasons, cause="policy")
    if verdict.standing == "waiting" and not approvals.still_waits(cursor, action):
        return Admission(effect=Effect.DENY, reasons=("People answered meanwhile.",), retry=True)
    if action.stubbed:
        return _admit_stubbed(cursor, verdict)
    if verdict.effect is Effect.ASK:
        waits_for = action.approval if verdict.standing == "waiting" else approvals.open_request(cursor, verdict)
        return Admission(effect=Effect.ASK, reasons=verdict.reasons, waits_for=waits_for, cause="policy")
    if verdict.standing == "approved" and not approvals.is_usable(cursor, action):
        return Admission(effect=Effect.DENY, reasons=("This approval is not valid any more.",), cause="approval")
    if action.kind is ActionKind.RUN_START:
        books.open_run(action)
    if refusal := books.reserve(action):
        scarce = books.scarce(action)
        held = scarce is not None and books.is_held(action)
        return Admission(effect=Effect.DENY, reasons=(refusal,), cause="budget", scarce=scarce, held=held)
    if verdict.standing == "approved":
        # After the money: an act that cannot be paid leaves its approval unused. The row is locked since the look.
        approvals.consume(cursor, action)
    return Admission(effect=Effect.ALLOW, reasons=verdict.reasons)


def _admit_stubbed(cursor: Cursor, verdict: Verdict) -> Admission:
    """An act of a replay, which its own row says that it is: nobody is asked anew, and nothing is to be paid."""
    cursor.execute("SELECT stubs_tools FROM runs_run WHERE id = %s", (verdict.action.run,))
    row = cursor.fetchone()
    if row is None or not row[0]:
        return Admission(effect=Effect.DENY, reasons=("This run is no replay: its acts are real.",), cause="policy")
    return Admission(effect=verdict.effect, reasons=verdict.reasons, cause="policy")


def _still_waits(verdict: Verdict, admission: Admission) -> bool:
    return admission.effect is Effect.ASK and verdict.standing == "waiting"
