"""An approval covers one exact act: it is used once, by nobody's own hand, and is void when anything has changed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from agents.runs.control import fork_run
from agents.runs.engine import advance
from agents.runs.faults import give_up
from agents.runs.models import Run
from agents.runs.services import cancel_run, start_run
from agents.runs.taking import take
from agents.tools.models import Tool
from agents.tools.services import disable_tool
from foundation.access.guards import RefusedError
from foundation.access.models import Grant
from foundation.access.services import grant
from foundation.actors import Actor, ActorKind, AuthenticationMethod
from foundation.audit.models import AuditEntry
from foundation.errors import ConflictError, InvalidError
from foundation.identity.keys import rotate_api_key
from foundation.identity.models import ApiKey, Principal
from foundation.identity.services import (
    add_person,
    create_api_key,
    create_service,
    revoke_api_key,
    suspend_principal,
)
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget
from governance.approvals.models import ApprovalRequest, Vote
from governance.approvals.queue import own_queue, queue, visible_requests
from governance.approvals.services import SeparationError, approve, deny
from governance.approvals.tasks import expire
from governance.budgets.services import set_budget
from tests.workers import superuser

ALLOW = '@id("allow") permit (principal, action, resource);\n'
ASK = (
    '@id("careful") @ask("May I write {{note}}?") @approvers("{who}") @quorum("{quorum}") @expires("1h") @risk("low")\n'
    'forbid (principal, action, resource == Tool::"witness.effect") unless {{ context.approved }};'
)


@pytest.fixture
def careful(make_house: Any, say: Any, call: Any) -> Any:
    """A house whose effects are asked about, and a run that waits for the answer."""

    def make(who: str = "operator", quorum: int = 1, turns: Any = None) -> tuple[Any, Run]:
        house = make_house(ALLOW + ASK.format(who=who, quorum=quorum))
        house.model.answers = {"worker": turns or [call("witness.effect", note="hello"), say("Done.")]}
        run = house.run(house.start())
        assert (run.state, run.waits_for) == ("waiting", "approval"), run.failure
        return house, run

    return make


def asked(house: Any, run: Run) -> ApprovalRequest:
    """The newest request of a run."""
    with house.in_tenant():
        return ApprovalRequest.objects.filter(run=run).order_by("-id")[0]


def say_yes(house: Any, run: Run, actor: Actor | None = None, digest: str | None = None) -> ApprovalRequest:
    request = asked(house, run)
    with house.in_tenant():
        return approve(actor=actor or house.approver, request=request, digest=digest or request.digest)


def person(house: Any, *roles: str) -> Actor:
    """One more person, with these roles on the organisation."""
    with house.in_tenant():
        member = add_person(
            actor=house.owner, organisation=house.organisation, email=f"{uuid7()}@example.org", name="P"
        )
        for role in roles:
            grant(actor=house.owner, principal=member.principal, role=role,
                  target=GrantTarget.objects.get(pk=house.organisation.id))  # fmt: skip
    return Actor(kind=ActorKind.PERSON, name="P", principal=member.principal_id, organisation=house.organisation.id)


def test_asked_approved_used_once(careful: Any) -> None:
    house, run = careful()
    assert house.lines() == []
    request = asked(house, run)
    assert request.question == "May I write hello?"
    assert house.run(run).state == "waiting", "a bell alone moves nothing"
    say_yes(house, run)
    assert house.run(run).state == "succeeded"
    assert len(house.lines()) == 1
    assert asked(house, run).state == "consumed"
    with pytest.raises(ConflictError, match="already approved by Pia Approver"):
        say_yes(house, run)


def test_the_same_act_twice_is_asked_twice(careful: Any, say: Any, call: Any) -> None:
    house, run = careful(turns=[call("witness.effect", note="a"), call("witness.effect", note="a"), say("Done.")])
    say_yes(house, run)
    assert house.run(run).waits_for == "approval"
    assert len(house.lines()) == 1
    say_yes(house, run)
    assert house.run(run).state == "succeeded"
    assert len(house.lines()) == 2


def test_no_is_told_to_the_agent(careful: Any) -> None:
    house, run = careful()
    with house.in_tenant(), pytest.raises(InvalidError):
        deny(actor=house.approver, request=asked(house, run), reason=" ")
    with house.in_tenant():
        deny(actor=house.approver, request=asked(house, run), reason="Too dear.")
    assert house.run(run).state == "succeeded"
    assert house.lines() == []
    assert "Too dear." in house.model.asked[-1]["input"][-1]["output"]


def test_another_digest_is_a_conflict(careful: Any) -> None:
    house, run = careful()
    with pytest.raises(ConflictError, match="changed since you opened it"):
        say_yes(house, run, digest="sha256:other")
    assert asked(house, run).state == "waiting"


def change_policy(house: Any, _run: Run) -> None:
    house.policy("more", '@id("more") permit (principal, action, resource == Tool::"witness.read");')


def change_label(house: Any, run: Run) -> None:
    label = {"integrity": "untrusted", "confidentiality": "secret", "sources": ["elsewhere"]}
    with house.in_tenant():
        type(run.session).objects.filter(pk=run.session_id).update(label=label)


def change_tool(house: Any, _run: Run) -> None:
    with house.in_tenant():
        Tool.objects.filter(name="witness.effect").update(definition_hash="sha256:other")


def change_arguments(house: Any, run: Run) -> None:
    """As if the model had meant something else all along."""
    with superuser() as database:
        database.execute("UPDATE runs_step SET output = replace(output::text, 'hello', 'goodbye')::jsonb "
                         "WHERE run_id = %s AND kind = 'model_call'", [run.pk])  # fmt: skip


CHANGES = [change_policy, change_label, change_tool, change_arguments]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("when", ["before the vote", "after the vote"])
def test_whatever_changes_makes_it_void(careful: Any, change: Any, when: str) -> None:
    house, run = careful()
    first = asked(house, run)
    if when == "before the vote":
        change(house, run)
    say_yes(house, run)
    if when == "after the vote":
        change(house, run)
    assert house.run(run).waits_for == "approval", "it is asked anew"
    assert house.lines() == []
    with house.in_tenant():
        assert ApprovalRequest.objects.get(pk=first.pk).state == "void"
    assert asked(house, run).pk != first.pk
    say_yes(house, run)
    assert house.run(run).state == "succeeded"
    assert len(house.lines()) == 1


def test_a_tool_that_was_disabled_is_not_called_on_an_old_approval(careful: Any) -> None:
    house, run = careful()
    say_yes(house, run)
    with house.in_tenant():
        disable_tool(actor=house.owner, tool=Tool.objects.get(name="witness.effect"))
    assert house.run(run).state == "succeeded"
    assert house.lines() == []
    assert "disabled" in house.steps(run)[2].error


def test_silence_is_a_no(careful: Any) -> None:
    house, run = careful()
    with superuser() as database:
        database.execute("UPDATE approvals_approvalrequest SET expires_at = now() WHERE run_id = %s", [run.pk])
    with pytest.raises(ConflictError, match="expired"):
        say_yes(house, run)
    expire()
    assert asked(house, run).state == "expired"
    assert house.read(run).state == "queued", "the run was woken"
    assert house.run(run).state == "succeeded"
    assert house.lines() == []
    assert "not approved in time" in house.steps(run)[2].error


@pytest.mark.parametrize("ticked", [False, True], ids=["before the tick", "after the tick"])
def test_a_yes_that_is_used_too_late_is_a_no_and_stays_a_yes(careful: Any, ticked: bool) -> None:
    house, run = careful()
    given = say_yes(house, run)
    with superuser() as database:
        database.execute("UPDATE approvals_approvalrequest SET expires_at = now() WHERE run_id = %s", [run.pk])
    if ticked:
        expire()
        assert asked(house, run).state == "expired"
        with house.in_tenant():
            told = AuditEntry.objects.get(action="approval.expired", target_id=given.pk)
        assert told.reason == "It was approved, but not used in time."
    assert house.run(run).state == "succeeded"
    assert house.lines() == []
    assert asked(house, run).decided_at == given.decided_at, "when it was approved is kept"
    said = house.steps(run)[2].error
    by = f"{house.approver.name} at {given.decided_at:%Y-%m-%d %H:%M:%S} UTC"
    assert said == f"It was approved by {by}, but that ran out before it was used."


def test_one_yes_of_two_is_no_approval_that_ran_out(careful: Any) -> None:
    house, run = careful(quorum=2)
    say_yes(house, run)
    with superuser() as database:
        database.execute("UPDATE approvals_approvalrequest SET expires_at = now() WHERE run_id = %s", [run.pk])
    expire()
    assert house.run(run).state == "succeeded"
    assert house.steps(run)[2].error == "It was not approved in time, which means no."


def test_who_may_not_approve(careful: Any) -> None:
    house, run = careful()
    suspended = person(house, "operator")
    with house.in_tenant():
        suspend_principal(actor=house.owner, principal=Principal.objects.get(pk=suspended.principal), reason="Left.")
        service = create_service(actor=house.owner, organisation=house.organisation, name="Robot")
        grant(actor=house.owner, principal=service, role="operator",
              target=GrantTarget.objects.get(pk=house.organisation.id))  # fmt: skip
    own = house.organisation.id
    strangers = {
        "the requester": house.owner,
        "the agent": Actor(kind=ActorKind.AGENT, name="w", principal=house.agent.id, organisation=own),
        "a service": Actor(kind=ActorKind.SERVICE, name="r", principal=service.id, organisation=own),
        "a service that says it is a person": Actor(kind=ActorKind.PERSON, name="r", principal=service.id,
                                                    organisation=own),
        "a suspended person": suspended,
        "a person without a role": person(house),
        "a viewer": person(house, "viewer"),
        "an approver of another group": person(house, "approver"),
        "the system": Actor(kind=ActorKind.SYSTEM, name="shell", organisation=own),
    }  # fmt: skip
    for who, actor in strangers.items():
        assert is_refused(house, run, actor), who
    with house.in_tenant():
        assert Vote.objects.filter(request__run=run).count() == 0
    say_yes(house, run, person(house, "operator"))
    assert house.run(run).state == "succeeded"


def test_nobody_in_whose_name_a_fork_acts_approves_its_acts(careful: Any) -> None:
    """A fork acts for whomever the former run acted for, too: it is an act of theirs, whoever presses the button."""
    house, run = careful()
    forker, other = person(house, "operator"), person(house, "operator")
    with house.in_tenant():
        fork = fork_run(actor=forker, run=run, step=0)
    fork = house.run(fork)
    assert (fork.waits_for, fork.requester_id) == ("approval", forker.principal)
    for who in (house.owner, forker):
        assert is_refused(house, fork, who)
        with house.in_tenant():
            ask = next(one for one in queue(who) if one.request.run_id == fork.id)
            assert "somebody else" in ask.why_not
            assert ask not in own_queue(who, visible_requests(who), queue(who))
    say_yes(house, fork, other)
    assert house.run(fork).state == "succeeded"


def test_whoever_has_a_services_key_does_not_approve_what_that_service_asks_for(careful: Any) -> None:
    """Whoever was shown the key of a service may be that service: the act would be asked for and approved by one."""
    house, _ = careful()
    maker, later, other = (person(house, "administrator") for _ in range(3))
    robot, key = robot_of(house, maker)
    through = Actor(kind=ActorKind.SERVICE, name="Robot", principal=robot.id, organisation=house.organisation.id,
                    key=key.id, method=AuthenticationMethod.API_KEY)  # fmt: skip
    with house.in_tenant():
        rotated, _ = rotate_api_key(actor=through, api_key=key, overlap=0)
        revoke_api_key(actor=later, api_key=create_api_key(actor=later, principal=robot, name="gone")[0])
        started = start_run(actor=through, agent=house.agent, title="t", input="x")
        forked = fork_run(actor=other, run=started, step=0)
        revoke_api_key(actor=later, api_key=rotated)
    for run in map(house.run, (started, forked)):
        assert is_refused(house, run, maker)
        with house.in_tenant():
            ask = next(one for one in queue(maker) if one.request.run_id == run.id)
        assert "a key of the service" in ask.why_not
        say_yes(house, run, later)
        assert house.run(run).state == "succeeded"


def robot_of(house: Any, maker: Actor) -> tuple[Principal, ApiKey]:
    """A service that starts runs, and its key, which this person was shown."""
    with house.in_tenant():
        robot = create_service(actor=house.owner, organisation=house.organisation, name="Robot")
        grant(actor=house.owner, principal=robot, role="builder",
              target=GrantTarget.objects.get(pk=house.organisation.id))  # fmt: skip
        return robot, create_api_key(actor=maker, principal=robot, name="robot")[0]


def is_refused(house: Any, run: Run, actor: Actor) -> bool:
    try:
        say_yes(house, run, actor)
    except RefusedError:
        return True
    return False


def test_two_people_are_two_people(careful: Any) -> None:
    house, run = careful(quorum=2)
    first, second = person(house, "operator"), person(house, "operator")
    assert say_yes(house, run, first).state == "waiting"
    with pytest.raises(ConflictError, match="already voted"):
        say_yes(house, run, first)
    assert house.run(run).state == "waiting"
    assert say_yes(house, run, second).state == "approved"
    assert house.run(run).state == "succeeded"


def test_the_vote_of_someone_who_has_left_does_not_count(careful: Any) -> None:
    house, run = careful(quorum=2)
    first, second, third = (person(house, "operator") for _ in range(3))
    say_yes(house, run, first)
    with house.in_tenant():
        suspend_principal(actor=house.owner, principal=Principal.objects.get(pk=first.principal), reason="Left.")
    assert say_yes(house, run, second).state == "waiting"
    with house.in_tenant():
        Grant.objects.filter(principal_id=second.principal).delete()
    assert say_yes(house, run, third).state == "waiting"


def test_of_two_who_answer_at_once_one_hears_of_the_other(careful: Any) -> None:
    house, run = careful()
    people = [person(house, "operator") for _ in range(6)]
    request = asked(house, run)

    def answer(place: int) -> str:
        try:
            with house.in_tenant():
                if place % 2:
                    deny(actor=people[place], request=request, reason="No.")
                else:
                    approve(actor=people[place], request=request, digest=request.digest)
        except ConflictError as error:
            return str(error)
        finally:
            connections.close_all()
        return ""

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(answer, range(6)))
    assert answers.count("") == 1
    assert all(one.startswith("This is already") for one in answers if one)
    with house.in_tenant():
        assert Vote.objects.filter(request=request).count() == 1
        decided = AuditEntry.objects.filter(run_id=run.pk, action__in=["approval.approve", "approval.deny"])
        assert decided.count() == 1
    house.run(run)
    assert len(house.lines()) == (1 if asked(house, run).state == "consumed" else 0)


def test_many_workers_use_one_approval_once(careful: Any) -> None:
    house, run = careful()
    say_yes(house, run)

    def work(_: int) -> None:
        try:
            advance(run.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert house.read(run).state == "succeeded"
    assert len(house.lines()) == 1


def test_what_cannot_be_paid_leaves_the_approval_unused(make_house: Any, say: Any) -> None:
    """The act that is asked about is the model call itself, which has a price."""
    house = make_house(ALLOW + ASK.format(who="operator", quorum=1).replace('resource == Tool::"witness.effect"',
                       'resource == Model::"small"').replace("May I write {note}?", "May I think?"))  # fmt: skip
    house.model.answers = {"worker": [say("Done.")]}
    run = house.run(house.start())
    assert run.waits_for == "approval", run.failure
    say_yes(house, run)
    with house.in_tenant():
        set_budget(actor=house.owner, scope="agent", scope_id=house.agent.id, target=house.agent.target, limit=0,
                   currency="EUR")  # fmt: skip
    run = house.run(run)
    assert run.state == "failed"
    assert "budget of the agent" in run.failure
    assert house.model.asked == []
    assert asked(house, run).state == "void"


def test_the_end_of_a_run_makes_its_request_void(careful: Any) -> None:
    house, run = careful()
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run, reason="")
    assert house.run(run).state == "cancelled"
    assert asked(house, run).state == "void", "with the run, not some seconds later"
    with house.in_tenant():
        told = AuditEntry.objects.get(action="approval.void", run_id=run.pk)
    assert (told.outcome, told.target_id) == ("denied", asked(house, run).pk)
    with pytest.raises(ConflictError, match="run has ended"):
        say_yes(house, run)


def test_a_run_that_is_given_up_asks_nobody_any_more(careful: Any) -> None:
    house, run = careful()
    say_yes(house, run)
    (taken,) = take("worker", 30, [run.pk])
    give_up(taken.lease, "It failed too often.")
    assert house.read(run).state == "failed"
    assert asked(house, run).state == "void", "what was approved is not done"


def test_an_approval_of_another_organisation_is_out_of_reach(careful: Any) -> None:
    house, run = careful()
    other, _ = careful()
    request = asked(house, run)
    with other.in_tenant(), pytest.raises((RefusedError, ApprovalRequest.DoesNotExist)):
        approve(actor=other.approver, request=request, digest=request.digest)
    assert issubclass(SeparationError, RefusedError)
    assert asked(house, run).state == "waiting"
