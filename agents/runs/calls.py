"""Doing what was admitted: the calls to models and tools, outside any transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from agents.catalogue.inference import InferenceError, answer
from agents.catalogue.messages import Endpoint, Item, ModelAnswer, ModelRequest
from agents.labels import Integrity, Label
from agents.registry.models import AgentState
from agents.runs.builtins.port import Builtin
from agents.runs.fitting import mismatch
from agents.runs.models import StepKind, StepState
from agents.runs.moves import DELEGATE
from agents.runs.run_tokens import NoRightsError, token_for
from agents.runs.work import DELEGATION_SCHEMA, Work
from agents.tools.models import Tool, ToolState
from agents.tools.port import ConnectorKind, ToolOutput, ToolRefusedError, ToolRequest, ToolUncertainError
from foundation.audit.plain import plain, plain_text
from foundation.digests import canonical
from foundation.inputs import MOST_LEVELS, is_too_deep
from foundation.keys import KeyUnusableError
from foundation.secrets.redaction import REDACTED
from foundation.secrets.sealing import UnsealError, unseal

log = structlog.get_logger(__name__)
MAX_DEPTH = 5
MAX_ERROR = 2_000  # characters of a tool's own words on its failure
_LONGEST_NAME = 160  # characters; the columns of steps and decisions
MAX_OUTPUT = 64 * 1024  # characters of a tool's answer that a journal keeps and a model sees


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What a tool call came to."""

    state: StepState
    output: Any = None
    label: Label | None = None
    error: str = ""


def offered(work: Work) -> list[dict[str, Any]]:
    """The tools that the model may ask for now."""
    return [offer for offer in work.offers() if _is_callable(work, offer["name"])]


def model_request(work: Work, items: Sequence[Item], tools: Sequence[Mapping[str, Any]]) -> ModelRequest:
    """The call that the model is to answer next."""
    return ModelRequest(
        model=work.model.wire_name,
        instructions=work.version.instructions,
        items=items,
        tools=tools,
        max_output_tokens=min(work.version.max_output_tokens, work.model.max_output),
        timeout=settings.RUN_MODEL_TIMEOUT_SECONDS,
    )


def call_model(work: Work, request: ModelRequest) -> ModelAnswer:
    """Ask the model, or the recording of a replay; raises InferenceError."""
    if work.player is not None and work.player.plays_model:
        return work.player.answer(work.steps)
    provider = work.provider
    if not (provider.enabled and work.model.enabled):
        message = f"The model {work.model.slug} is disabled: enable it in the catalogue, or publish another version."
        raise InferenceError(message, again=False, billed=False)
    key = unseal(provider.sealed_key, context=f"provider:{provider.id}") if provider.sealed_key else ""
    return answer(Endpoint(base_url=provider.base_url, api=provider.api, key=key), request)


def items_of(answer: ModelAnswer, step: int) -> list[dict[str, Any]]:
    """What the model said, fit for the journal: each call has an id of its own, whatever the endpoint sent."""
    items: list[dict[str, Any]] = plain([dict(item) for item in answer.items])
    taken: set[str] = set()
    for place, item in enumerate(items):
        if item["type"] != "call":
            continue
        item["name"] = item["name"][:_LONGEST_NAME]
        if item["call_id"] in taken or not 0 < len(item["call_id"]) <= _LONGEST_NAME:
            item["call_id"] = f"call-{step}-{place}"
        taken.add(item["call_id"])
    return items


def arguments_of(call: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A call's arguments, and what is wrong with their text (empty if nothing).

    What has no canonical form (RFC 8785: no NaN, no integer beyond 2^53) or cannot be stored has no digest, and so
    nobody could judge or approve it.
    """
    try:
        arguments = json.loads(call["arguments"] or "{}")
        text = canonical(arguments)
    except (ValueError, RecursionError):
        return {}, "The arguments are not JSON, or hold numbers that are too large."
    if b"\\u0000" in text:
        return {}, "The arguments hold a NUL character."
    if is_too_deep(arguments):
        return {}, f"The arguments have more than {MOST_LEVELS} levels of lists and objects in one another."
    return (arguments, "") if isinstance(arguments, dict) else ({}, "The arguments are not a JSON object.")


def problem_of(work: Work, name: str, arguments: dict[str, Any]) -> str:
    """Why a call cannot be made at all: no such tool, not active, arguments against the schema. Empty if it can."""
    if name.startswith(DELEGATE):
        return delegation_problem(work, name.removeprefix(DELEGATE)) or mismatch(DELEGATION_SCHEMA, arguments)
    if (own := work.builtins.get(name)) is not None:
        return mismatch(own.schema, arguments) or _own_problem(work, own, arguments)
    tool = work.tools.get(name)
    if tool is None:
        return f"This agent has no tool called {name}."
    if tool.state == ToolState.IN_REVIEW:
        return f"The definition of {name} has changed: a person must review it first."
    if tool.state != ToolState.ACTIVE or not tool.connector.enabled:
        return f"The tool {name} is disabled."
    return mismatch(tool.schema, arguments)


def _own_problem(work: Work, own: Builtin, arguments: dict[str, Any]) -> str:
    try:
        return own.problem(work, arguments)
    except Exception as error:  # a model's words must not end its run: what cannot be checked is not done
        log.exception("arguments not checked", tool=own.name, run=str(work.run.id))
        return f"These arguments cannot be checked ({type(error).__name__}): give simpler ones."


def _shallow(value: Any) -> Any:
    if is_too_deep(value):
        raise ValueError
    return value


def delegation_problem(work: Work, slug: str) -> str:
    """Why this agent cannot be given work, in a sentence for the model; empty if it can."""
    if problem := receiver_problem(work, slug):
        return problem
    # Not by the runs that were begun: a replay begins none.
    begun = sum(1 for step in work.steps if step.kind == StepKind.DELEGATION and step.state != StepState.REFUSED)
    if begun >= work.version.max_children:
        return f"This run has delegated {begun} times: its version allows no more. Go on with what there is."
    return ""


def receiver_problem(work: Work, slug: str) -> str:
    """Why this agent can take nothing over from this one, be it a task or the whole session."""
    agent = work.delegates.get(slug)
    if agent is None:
        return f"This agent may not delegate to {slug}."
    if agent.serving is None or agent.state != AgentState.ACTIVE:
        return f"The agent {slug} is {agent.get_state_display().lower()}, or serves no version."
    if work.run.depth >= MAX_DEPTH:
        return f"Delegation is limited to {MAX_DEPTH} levels."
    return ""


def call_tool(work: Work, tool: Tool, arguments: dict[str, Any], key: str) -> Called:
    """Call a tool once. Whatever goes wrong after the call may have left makes the outcome unknown."""
    if work.player is not None:
        return Called(state=StepState.FAILED, error="In a replay no tool is called.")
    connector = tool.connector
    try:
        kind: ConnectorKind = import_string(settings.CONNECTOR_KINDS[connector.kind])()
        secret = None
        if connector.credential is not None:
            secret = unseal(connector.credential.sealed, context=f"credential:{connector.credential.id}")
        shown = token_for(work, tool)
    except (KeyError, ImportError, UnsealError, KeyUnusableError) as error:
        return Called(state=StepState.FAILED, error=f"The connector {connector.slug} cannot be used: {error}")
    except NoRightsError as error:
        return Called(state=StepState.FAILED, error=str(error))
    hidden = [one for one in (secret, shown.token if shown else "") if one]
    request = ToolRequest(
        operation=tool.operation,
        arguments=arguments,
        idempotency_key=key,
        settings=connector.settings,
        secret=secret,
        organisation=work.run.organisation_id,
        run=work.run.id,
        headers=shown.headers if shown else {},
    )
    try:
        output = kind.call(request)
    except ToolRefusedError as error:
        return _failed(StepState.FAILED, error, tool, hidden)
    except ToolUncertainError as error:
        return _failed(StepState.UNKNOWN, error, tool, hidden)
    except Exception as error:  # noqa: BLE001 - a connector's fault must not lose the run: nobody knows what it did
        return Called(state=StepState.UNKNOWN, error=f"The connector failed with {type(error).__name__}.")
    return _succeeded(output, tool, hidden)


def _succeeded(output: ToolOutput, tool: Tool, hidden: Sequence[str]) -> Called:
    try:
        content = _shallow(plain(_without(output.content, hidden), fractions=True))
        # Without its spaces, it is more than half as long.
        text = "" if 2 * len(orjson.dumps(content)) < MAX_OUTPUT else json.dumps(content, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        # It was done: what it answered does not undo that.
        content = text = "The connector's answer is not JSON, or too many lists and objects in one another."
    if len(text) > MAX_OUTPUT:
        content = {"truncated": text[:MAX_OUTPUT]}
    label = Label(output.label.integrity, output.label.confidentiality, output.label.sources | {f"tool:{tool.name}"})
    return Called(state=StepState.SUCCEEDED, output=content, label=label)


def _failed(state: StepState, error: Exception, tool: Tool, hidden: Sequence[str]) -> Called:
    # What a tool says of its failure is the tool's text, and the model reads it.
    label = Label(Integrity.UNTRUSTED, sources=frozenset({f"tool:{tool.name}"}))
    return Called(state=state, error=plain_text(_without(str(error), hidden))[:MAX_ERROR], label=label)


def _without(value: Any, hidden: Sequence[str]) -> Any:
    """The value without the credential and the token that the tool was called with, should it send them back."""
    if not hidden:
        return value
    if isinstance(value, str):
        for one in hidden:
            value = value.replace(one, REDACTED)
        return value
    if isinstance(value, Mapping):
        return {_without(name, hidden): _without(inner, hidden) for name, inner in value.items()}
    return [_without(inner, hidden) for inner in value] if isinstance(value, (list, tuple)) else value


def _is_callable(work: Work, name: str) -> bool:
    if name.startswith(DELEGATE) or name in work.builtins:
        return True
    tool = work.tools[name]
    return tool.state == ToolState.ACTIVE and tool.connector.enabled
