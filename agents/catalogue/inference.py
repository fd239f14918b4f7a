"""Inference: one model call through the `openai` package, by the Responses API or Chat Completions."""

from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import openai

from agents.catalogue import chat, responses
from agents.catalogue.messages import Endpoint, ModelAnswer, ModelRequest
from agents.catalogue.models import MOST_TOKENS, InferenceApi
from foundation.audit.plain import plain_text
from foundation.outbound.client import OutboundRefusedError, client
from foundation.secrets.redaction import REDACTED

_SERVER_FAULT = 500
_BUSY = {429, 503}
# By name: only foundation.outbound knows the client under it.
_NEVER_SENT = {"ConnectError", "ConnectTimeout"}
_NO_KEY = "no-key"  # endpoints without keys still get a well-formed header


class InferenceError(Exception):
    """A call that gave no answer. `again` says that a later try may help, `billed` that it may have cost money.

    `busy` is for how many seconds the endpoint says that it takes no calls; None if it says nothing.
    """

    def __init__(self, message: str, *, again: bool, billed: bool, busy: float | None = None) -> None:
        super().__init__(message)
        self.again, self.billed, self.busy = again, billed, busy


def answer(endpoint: Endpoint, request: ModelRequest) -> ModelAnswer:
    """Call the model once, without retries: they are the engine's, each with a decision of its own."""
    try:
        with (
            client(timeout=request.timeout, longest=request.timeout, purpose="inference") as transport,
            openai.OpenAI(
                base_url=endpoint.base_url,
                api_key=endpoint.key or _NO_KEY,
                max_retries=0,
                timeout=request.timeout,
                http_client=transport,
            ) as api,
        ):
            speak = chat.call if endpoint.api == InferenceApi.CHAT else responses.call
            items, usage, identifier = speak(api, request)
    except OutboundRefusedError as error:
        raise InferenceError(str(error), again=False, billed=False) from None
    except openai.APIConnectionError as error:
        raise _disconnected(error, request.timeout) from None
    except openai.APIStatusError as error:
        again = error.status_code in {408, 409, 429} or error.status_code >= _SERVER_FAULT
        message = f"The model endpoint answered {error.status_code}: {_said(error, endpoint)}"
        busy = _busy(error.response.headers.get("Retry-After", "")) if error.status_code in _BUSY else None
        billed = error.status_code >= _SERVER_FAULT and busy is None
        raise InferenceError(message, again=again, billed=billed, busy=busy) from None
    except openai.OpenAIError as error:
        message = f"The model endpoint cannot be used: {_said(error, endpoint)}"
        raise InferenceError(message, again=False, billed=True) from None
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError) as error:
        # An answer that is not of the documented shape; it was given, and so it may cost.
        message = f"The model endpoint's answer cannot be read ({type(error).__name__}): check the provider's API."
        raise InferenceError(message, again=False, billed=True) from None
    read, written = map(_counted, usage)
    return ModelAnswer(items=tuple(items), input_tokens=read, output_tokens=written, response_id=identifier)


def _counted(said: Any) -> int | None:
    """What an endpoint says that it has counted: what can be no count of tokens is none, and its cost unknown."""
    return said if type(said) is int and 0 <= said <= MOST_TOKENS else None


def _busy(said: str) -> float | None:
    """The seconds of a Retry-After header (RFC 9110): a number, or a date."""
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max((until - datetime.now(until.tzinfo)).total_seconds(), 0.0)


def _said(error: openai.OpenAIError, endpoint: Endpoint) -> str:
    """An endpoint's own words, without the key should it send it back."""
    text = plain_text(str(getattr(error, "message", error)))
    return (text.replace(endpoint.key, REDACTED) if endpoint.key else text)[:300]


def _disconnected(error: openai.APIConnectionError, timeout: float) -> InferenceError:
    causes = list(_causes(error))
    refusal = next((one for one in causes if isinstance(one, OutboundRefusedError)), None)
    if refusal is not None:
        return InferenceError(str(refusal), again=False, billed=False)
    if any(type(one).__name__ in _NEVER_SENT for one in causes):
        # Nothing was sent.
        message = "The model endpoint cannot be reached. Check the provider's base URL, and that it runs."
        return InferenceError(message, again=True, billed=False)
    if isinstance(error, openai.APITimeoutError):
        return InferenceError(f"The model endpoint did not answer within {timeout:g} s.", again=True, billed=True)
    return InferenceError("The connection to the model endpoint broke before it answered.", again=True, billed=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
