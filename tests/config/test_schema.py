"""The OpenAPI document: complete, valid, without warnings; and the API answers as it says."""

import io
import json
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from config.document.examples import EXAMPLES
from foundation.identity.lookups import seeing_as
from foundation.identity.models import Membership
from foundation.ids import uuid7
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, furnish, make_organisation

METHODS = ("get", "post", "put", "patch", "delete")


# Whoever calls them shows no key; but for the stream, which is no endpoint of the framework either.
DOORS = {"runs_stream", "triggers_call", "callbacks_call", "token_exchange"}


def every(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The operations, each with its method and address."""
    return [
        (f"{method} {path}", described[method])
        for path, described in document["paths"].items()
        for method in METHODS
        if method in described
    ]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document, made as a user would make it: any warning fails."""
    out = io.StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    made: dict[str, Any] = yaml.safe_load(out.getvalue())
    return made


@pytest.fixture
def world(database: Any) -> World:
    """An organisation with one of everything."""
    return furnish(make_organisation("acme"))


@pytest.mark.slow
def test_every_operation_is_described(document: dict[str, Any]) -> None:
    operations = [(name, operation) for name, operation in every(document) if operation["operationId"] not in DOORS]
    assert len(operations) > 70
    for name, operation in operations:
        assert operation["summary"], name
        assert "{" not in operation["summary"], name
        assert operation["security"] == [{"apiKey": []}, {"session": []}], name
        assert {"401", "403"} <= set(operation["responses"]), name
        assert any(status.startswith("2") for status in operation["responses"]), name
        for status, response in operation["responses"].items():
            if status >= "400":  # `default` too
                assert list(response["content"]) == ["application/problem+json"], name
    assert len({operation["operationId"] for _, operation in operations}) == len(operations)


def test_every_parameter_has_words_and_every_body_an_example_that_fits(document: dict[str, Any]) -> None:
    for name, operation in every(document):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (name, parameter["name"])
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            if media == "application/json":
                jsonschema.validate(content["example"], _strict(content["schema"], document))
    named = {operation["operationId"] for _, operation in every(document)}
    assert not set(EXAMPLES) - named, "Examples of operations that are not there."


def test_nothing_in_an_answer_is_without_a_type(document: dict[str, Any]) -> None:
    said = {"type", "$ref", "allOf", "anyOf", "oneOf"}
    untyped = {
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        if not name.endswith("Request")
        for field, described in schema.get("properties", {}).items()
        if not described.keys() & said
    }
    # What somebody else has made up.
    assert untyped == {"Schedule.input"}


def test_doors_are_described_and_answer_so(document: dict[str, Any], world: World) -> None:
    assert {operation["operationId"] for _, operation in every(document)} & DOORS == DOORS
    # An address of its own: refused calls are counted by where they come from.
    client = Client(REMOTE_ADDR=f"2001:db8:{uuid7().hex[-4:]}:{uuid7().hex[-8:-4]}::1")
    for address in (f"/api/v1/triggers/{uuid7()}/call", f"/api/v1/callbacks/{uuid7()}/call"):
        answer = client.post(address, b"{}", content_type="application/json")
        assert answer.status_code in {401, 404}
        assert str(answer.status_code) in document["paths"][f"{address[:-42]}/{{id}}/call"]["post"]["responses"]
        jsonschema.validate(answer.json(), _strict({"$ref": "#/components/schemas/Problem"}, document))
    answer = client.post("/api/v1/token", {"grant_type": "none"})
    described = document["paths"]["/api/v1/token"]["post"]["responses"][str(answer.status_code)]
    jsonschema.validate(answer.json(), _strict(described["content"]["application/json"]["schema"], document))


def test_no_answer_shows_a_secret(document: dict[str, Any]) -> None:
    shown = {
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        if not name.endswith("Request")
        for field in schema.get("properties", {})
    }
    hidden = {"password", "secret", "sealed", "sealed_key", "digest_of_key"}
    # Who is to sign calls needs what signs them: it is made here, and shown to whoever made it.
    assert {name for name in shown if name.partition(".")[2] in hidden} == {"TriggerSecret.secret", "Secret.secret"}
    assert [name for name in shown if name.partition(".")[2] == "key"] == ["NewApiKey.key"]


def test_the_document_is_public(world: World) -> None:
    answer = world.api().get("/api/schema/")
    assert answer.status_code == 200
    assert b"openapi: 3" in answer.content


def browser_of(world: World, role: str) -> Client:
    with tenant(world.organisation.id):
        user = Membership.objects.select_related("user").get(principal=world.people[role]).user
    client = Client()
    with seeing_as(user.id):
        client.force_login(user, backend="foundation.identity.authentication.EmailBackend")
    return client


@pytest.mark.slow
def test_reads_answer_as_the_document_says(document: dict[str, Any], world: World) -> None:
    read, browser = 0, browser_of(world, "administrator")
    for path, described in document["paths"].items():
        if (
            "get" not in described
            or "checkpoint" in path
            or path.endswith("/stream")
            or path.startswith("/api/v1/audit/{")
        ):
            continue
        resource = path.removeprefix("/api/v1/").partition("/")[0]
        thing = str(world.things.get(resource, ""))
        address = path.replace("{id}", thing).replace("{other}", thing).replace("{number}", "1")
        # Whole bodies go to auditors only; an administrator finds in the place of each what the document says.
        is_body = "`audit.read_bodies`" in described["get"]["description"]
        # What belongs to a person over all organisations is shown to its browser, and to no key.
        ask = browser if resource in {"browsers", "factors"} else world.api("auditor" if is_body else "administrator")
        answer = ask.get(address)
        assert answer.status_code == 200, (address, answer.content)
        [(media, content)] = described["get"]["responses"]["200"]["content"].items()
        assert answer["Content-Type"] == media, address
        schema = content["schema"]
        if media == "application/octet-stream":
            assert schema == {"type": "string", "format": "binary"}
            continue
        jsonschema.validate(json.loads(answer.getvalue()), _strict(schema, document))
        if (shown := world.api("auditor").get(address)).status_code == 200:
            jsonschema.validate(json.loads(shown.getvalue()), _strict(schema, document))
        read += 1
    assert read > 35


def test_what_stands_in_the_place_of_a_body_is_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas["Withheld"]["properties"]) == {"withheld", "bytes"}
    for shape, field in (("WholeRun", "input"), ("WholeRun", "output"), ("Step", "input"), ("Step", "error"),
                         ("Item", "content"), ("Callback", "payload"), ("Question", "answer"),
                         ("WholeApproval", "arguments"), ("Decision", "facts")):  # fmt: skip
        offered = schemas[shape]["properties"][field]["anyOf"]
        assert {"$ref": "#/components/schemas/Withheld"} in offered, (shape, field)


def _strict(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0's `nullable`, in the words of JSON Schema; and nothing that the document does not name."""
    whole = {**schema, "components": document["components"]}
    translated: dict[str, Any] = _translate(whole)
    return translated


def _translate(node: Any) -> Any:
    if isinstance(node, list):
        return [_translate(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _translate(value) for key, value in node.items() if key != "nullable"}
    if "properties" in made:
        made["additionalProperties"] = False
    if node.get("nullable") is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made
