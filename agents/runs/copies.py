"""Making a run out of a former one: its row, a session as it was at that point, and the steps that both share."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import connection

from agents.labels import Integrity, Label
from agents.registry.models import AgentState, AgentVersion
from agents.runs.addresses import open_anew
from agents.runs.inputs import check_input
from agents.runs.models import Artifact, Event, Relation, Run, Session, Step, StepState
from agents.tools.builtins import REMEMBER, SAVE_FILE
from foundation.actors import Actor
from foundation.errors import InvalidError
from foundation.ids import uuid7
from foundation.instants import database_now

_LONGEST_TITLE = 200


def whole_journal(run: Run) -> list[Step]:
    """The steps of a run, in order."""
    return list(Step.objects.filter(run_id=run.pk).order_by("number"))


def make_run(
    former: Run, shared: Sequence[Step], *, relation: Relation, step: int, version: AgentVersion,
    input: str | dict[str, Any] | None, chain: list[str], requester: UUID | None, source: str, title: str,  # noqa: A002 - the field's word
) -> Run:  # fmt: skip
    """A queued run with a session of its own. Steps, time, tokens and money count anew. Raises InvalidError."""
    agent = former.agent
    if version.agent_id != agent.pk:
        raise InvalidError("This version belongs to another agent.", field="version")
    if agent.state != AgentState.ACTIVE:
        raise InvalidError(f"{agent.name} is {agent.get_state_display().lower()}: only an active agent starts runs.")
    if input is not None:
        _check_input(input, step)
    label = Label.from_json(former.input_label) if input is None else _of_strangers(source)
    session = _session(former, shared, version, _seen(former, shared, label, is_same=input is None))
    identifier, is_replay, is_same = uuid7(), relation == Relation.REPLAY, version.pk == former.version_id
    made = Run.objects.create(
        id=identifier, organisation_id=former.organisation_id, session=session, agent=agent, version=version,
        target_id=former.target_id, former=former, relation=relation, former_step=step, stubs_tools=is_replay,
        root_id=identifier, depth=former.depth, requester_id=requester, chain=chain,
        delegation_id=former.delegation_id,
        title=f"{former.title[: _LONGEST_TITLE - len(title) - 3]} · {title}", source=source,
        input=former.input if input is None else input, input_label=label.as_json(),
        deadline=database_now() + timedelta(seconds=version.max_seconds),
        budget=former.budget if is_same else version.run_budget,
        max_tokens=former.max_tokens if is_same else version.max_tokens,
        currency=former.currency, events_written=1,
        rehearsed=former.rehearsed or version.language_model.provider.rehearsal,
    )  # fmt: skip
    told = {"former": str(former.id), "relation": relation.value, "step": step}
    Event.objects.create(run_id=identifier, number=1, organisation_id=former.organisation_id, kind="run.queued",
                         data=told)  # fmt: skip
    return made


# Nothing of it is paid or done again; `usage` says where it came from.
_COPY = """
INSERT INTO runs_step (run_id, number, organisation_id, kind, state, attempt, name, call_id, effect, idempotency_key,
    digest, decision_id, verdict, input, output, label, provenance, usage, cost, child_id, error, started_at, ended_at)
SELECT %(made)s, number, organisation_id, kind, state, attempt, name, call_id, effect, idempotency_key,
    digest, decision_id, verdict, input, coalesce(%(outputs)s::jsonb -> number::text, output), label, provenance,
    usage || jsonb_build_object('copied', jsonb_build_object('run', run_id, 'step', number, 'cost', cost)),
    0, child_id, error, clock_timestamp(), clock_timestamp()
FROM runs_step WHERE run_id = %(former)s AND number <= %(last)s
"""


def copy_steps(actor: Actor, former: Run, made: Run, shared: Sequence[Step]) -> None:
    """Put the former's first steps into the journal of a run that has none yet."""
    last, outputs = len(shared), open_anew(actor, made, shared)
    with connection.cursor() as cursor:
        cursor.execute(_COPY, {"made": made.pk, "former": former.pk, "last": last, "outputs": json.dumps(outputs)})
    Run.objects.filter(pk=made.pk).update(steps_written=last)
    made.steps_written = last


def _of_strangers(source: str) -> Label:
    return Label(Integrity.UNTRUSTED, sources=frozenset({f"input:{source}"}))


def _check_input(given: str | dict[str, Any], step: int) -> None:
    if step:
        raise InvalidError(
            "Another input changes everything from the beginning on: fork from step 0, or leave the input out.",
            field="input",
        )
    check_input(given)


def _seen(former: Run, shared: Sequence[Step], asked: Label, *, is_same: bool) -> Label:
    """The label of all that was seen up to there. The first step carries what the session held before the run."""
    labels = [Label.from_json(step.label) for step in shared]
    if is_same or former.session.turns > 1 or former.relation:
        first = Step.objects.filter(run_id=former.pk, number=1).values_list("label", flat=True).first()
        labels += [Label.from_json(first)] if first else []
    return asked.join(*labels)


def _session(former: Run, shared: Sequence[Step], version: AgentVersion, label: Label) -> Session:
    """A session as the former's was behind the steps that are shared, with its memory and its files."""
    old = former.session
    made = Session.objects.create(
        organisation_id=former.organisation_id, agent_id=former.agent_id, version=version, target_id=former.target_id,
        counterpart=old.counterpart, title=old.title, memory=_memory(former, len(shared)), label=label.as_json(),
        turns=1,
    )  # fmt: skip
    _copy_files(former, shared, made)
    return made


def _memory(former: Run, last: int) -> dict[str, Any]:
    """The working memory without what agents noted later: of each such name, what was noted before, if anything."""
    memory: dict[str, Any] = dict(former.session.memory)
    noted = _done(former, last, REMEMBER)
    before = {_name(step.input): step for step, is_before in noted if is_before}
    # Of several, the first: what it replaced is what was there.
    later = {_name(step.input): step for step, is_before in reversed(noted) if not is_before}
    for name, step in later.items():
        memory.pop(name, None)
        if (replaced := (step.output or {}).get("replaced")) is not None:
            memory[name] = replaced
        elif name in before and before[name].input.get("value") not in {None, ""}:
            memory[name] = {"value": before[name].input.get("value"), "label": before[name].label}
    return memory


def _done(former: Run, last: int, tool: str) -> list[tuple[Step, bool]]:
    """What a built-in did in the session, in order; and whether that was up to step `last` of the former run."""
    runs = Run.objects.filter(session_id=former.session_id).order_by("created_at", "id")
    order = {run: place for place, run in enumerate(runs.values_list("id", flat=True))}
    here = (order[former.pk], last)
    steps = Step.objects.filter(run_id__in=order, name=tool, state=StepState.SUCCEEDED)
    placed = sorted((((order[one.run_id], one.number), one) for one in steps), key=itemgetter(0))
    return [(step, place <= here) for place, step in placed]


def _name(arguments: Mapping[str, Any]) -> str:
    return str(arguments.get("name", ""))


def _copy_files(former: Run, shared: Sequence[Step], made: Session) -> None:
    Artifact.objects.bulk_create(
        Artifact(organisation_id=one.organisation_id, session=made, run_id=one.run_id, blob_id=one.blob_id,
                 name=one.name, media_type=one.media_type, label=one.label) for one in _files(former, shared)
    )  # fmt: skip


def _files(former: Run, shared: Sequence[Step]) -> list[Artifact]:
    """The files that were there: of those that runs saved by the journal, of all others by the clock.

    A file is as old as the step before it: the outcome of the one and the work of the other are one commit.
    """
    until = (shared[-1].ended_at if shared else None) or former.created_at
    rows = Artifact.objects.filter(session_id=former.session_id).select_related("blob").defer("blob__content")
    files = list(rows.order_by("created_at", "id"))
    here = {str(one.id) for one in files}
    by_file: dict[str, bool] = {}
    elsewhere: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for step, is_before in _done(former, len(shared), SAVE_FILE):
        output = step.output or {}
        if output["file"] in here:
            by_file[output["file"]] = is_before
        else:
            # A copied step, or one of a replay, names the file of the session that it was first saved in.
            elsewhere[output["name"], output["digest"]].append(is_before)
    found = []
    for one in files:
        is_there = by_file.get(str(one.id))
        if is_there is None and one.run_id is not None and elsewhere[one.name, one.blob.digest]:
            is_there = elsewhere[one.name, one.blob.digest].pop(0)
        if is_there or (is_there is None and one.created_at <= until):
            found.append(one)
    return found
