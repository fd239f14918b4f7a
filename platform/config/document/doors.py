"""Addresses of the API that are no endpoints of the framework: the event stream, signed calls, and tokens."""

from typing import Any

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
_JSON = {"application/json": {"schema": {}, "example": {"order": 17}}}


def _problems(**said: str) -> dict[str, Any]:
    return {status.strip("_"): {"description": text, "content": _PROBLEM} for status, text in said.items()}


def _header(name: str, said: str, *, required: bool = True) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": {"type": "string"}, "description": said}


_SIGNED = [
    {**_ID, "description": "Its id."},
    _header("Remit-Timestamp", "Unix seconds, at most 300 off."),
    _header("Remit-Signature", "`v1=` and the HMAC-SHA256 of `<timestamp>.<body>` with the secret, in hexadecimal."),
]
_REFUSED = _problems(
    _400="It is no such input.",
    _401="It is not rightly signed.",
    _404="It is unknown, or takes no calls.",
    _409="The same delivery came with another body, or it may not be taken any more.",
    _413="It is too large.",
    _429="Too many calls: wait for `Retry-After` seconds.",
)
_NAMES = {
    "grant_type": "`urn:ietf:params:oauth:grant-type:token-exchange`",
    "subject_token": "An API key, or a token of ours with the audience `remit`.",
    "subject_token_type": "`urn:ietf:params:oauth:token-type:access_token`, or `…:jwt`.",
    "actor_token": "A token of the agent that is to act.",
    "actor_token_type": "`urn:ietf:params:oauth:token-type:jwt`",
    "requested_actor": "Or that agent's short name or id.",
    "audience": "For whom the new token is; may come several times.",
    "scope": "What it is to cover; all that is left, if nothing is said.",
}
_TOKEN = {name: {"type": "string"} for name in ("access_token", "issued_token_type", "token_type", "scope")}
_OAUTH = {"type": "object", "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}}}

DOORS: dict[str, Any] = {
    "/api/v1/runs/{id}/events/stream": {
        "get": {
            "operationId": "runs_stream",
            "summary": "The events of a run as they come (server-sent events)",
            "description": "Needs the permission `run.view`. History first, then live until the run's end.",
            "tags": ["runs"],
            "security": [{"apiKey": []}, {"session": []}],
            "parameters": [
                {**_ID, "description": "The run's id."},
                _header("Last-Event-ID", "Begin behind this event.", required=False),
                {"name": "after", "in": "query", "schema": {"type": "integer"}, "description": "The same."},
            ],
            "responses": {
                "200": {
                    "description": "The stream: `id` is the event's number, `event` its kind, `data` JSON.",
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                },
                "204": {"description": "The run has ended, and there is no event behind that one."},
                **_problems(_401="No key in force.", _403="`run.view` is missing.", _404="There is no such run."),
            },
        }
    },
    "/api/v1/triggers/{id}/call": {
        "post": {
            "operationId": "triggers_call",
            "summary": "Start a run by a signed call",
            "description": "Needs a signature and no key (docs/schedules.md). The body is the run's input.",
            "tags": ["triggers"],
            "security": [],
            "parameters": [
                *_SIGNED,
                _header("Remit-Delivery", "A name of one's own; then `<timestamp>/<delivery>.<body>` is signed.",
                        required=False),
            ],
            "requestBody": {"required": True, "content": _JSON},
            "responses": {
                "201": {"description": "Started.", "content": {"application/json": {"schema": {
                    "type": "object", "required": ["run", "again"],
                    "properties": {"run": {"type": "string", "format": "uuid"}, "again": {"type": "boolean"}},
                }}}},
                "200": {"description": "The same delivery had started it before: `again` is true.",
                        "content": {"application/json": {"schema": {"type": "object"}}}},
                **_REFUSED,
            },
        }
    },
    "/api/v1/callbacks/{id}/call": {
        "post": {
            "operationId": "callbacks_call",
            "summary": "Tell a run what it waits for, once, by a signed call",
            "description": "Needs a signature and no key (docs/teams-of-agents.md).",
            "tags": ["callbacks"],
            "security": [],
            "parameters": _SIGNED,
            "requestBody": {"required": True, "content": _JSON},
            "responses": {"204": {"description": "Taken."}, **_REFUSED},
        }
    },
    "/api/v1/token": {
        "post": {
            "operationId": "token_exchange",
            "summary": "One token for another (RFC 8693)",
            "description": "Needs no key: what is presented is the proof (docs/agent-identity.md).",
            "tags": ["token"],
            "security": [],
            "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": {
                "type": "object",
                "required": ["grant_type", "subject_token", "subject_token_type"],
                "properties": {name: {"type": "string", "description": said} for name, said in _NAMES.items()},
            }}}},
            "responses": {
                "200": {"description": "The token.", "content": {"application/json": {"schema": {
                    "type": "object", "properties": {**_TOKEN, "expires_in": {"type": "integer"}},
                    "required": [*_TOKEN, "expires_in"],
                }}}},
                "400": {"description": "An error of RFC 6749.", "content": {"application/json": {"schema": _OAUTH}}},
                **_problems(_429="Too many calls: wait for `Retry-After` seconds."),
            },
        }
    },
}  # fmt: skip
