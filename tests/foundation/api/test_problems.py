"""Every error is a problem document that says what happened and what to do."""

from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from foundation.api.errors import flatten, handle
from tests.foundation.api.world import Api, World


def test_an_unknown_field_is_refused_by_name(bare: World) -> None:
    answer = bare.api().post("/teams", {"slug": "new", "nmae": "New"})
    assert answer.status_code == 400
    said = answer.json()
    assert set(said["errors"]) == {"nmae", "name"}
    assert "Fields: slug, name, parent" in said["errors"]["nmae"][0]
    assert said["title"] == "Bad Request"


def test_a_body_that_is_no_json_says_so(bare: World) -> None:
    answer = bare.api().post("/teams", "{")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("body", [[], "text", 3, None])
def test_a_body_that_is_no_object_says_so(bare: World, body: Any) -> None:
    assert bare.api().post("/teams", [body]).status_code == 400


def test_what_exists_already_is_a_conflict(bare: World) -> None:
    answer = bare.api().post("/teams", {"slug": "desk", "name": "Desk"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:remit:problem:conflict"


def test_an_unknown_address_is_a_problem_and_no_page(nobody: Api) -> None:
    for method in ("GET", "POST", "PATCH", "PROPFIND"):
        answer = nobody.call(method, "/api/v1/runz")
        assert answer.status_code == 404, method
        assert answer.json()["type"] == "urn:remit:problem:unknown"


def test_a_method_that_is_not_there_says_so(bare: World) -> None:
    answer = bare.api().delete("/teams")
    assert answer.status_code == 405
    assert answer.json()["type"] == "urn:remit:problem:method"


def test_a_form_is_told_how_json_is_sent(bare: World) -> None:
    """As `curl -d` sends it where no type is named."""
    answer = bare.api().post("/teams", "slug=new", **{"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 415
    assert "`Content-Type: application/json`" in answer.json()["detail"]


def test_an_id_that_is_none_is_unknown(bare: World) -> None:
    for name in ("x", "0", "%00", "../teams", "a" * 500):
        assert bare.api().get(f"/runs/{name}").status_code == 404, name


def test_an_error_of_ours_tells_nothing_of_itself() -> None:
    answer = handle(RuntimeError("password=hunter2"), {})
    assert answer.status_code == 500
    assert "hunter2" not in str(answer.data)


def test_nested_errors_are_written_with_dots() -> None:
    detail = ValidationError({"limits": {"steps": ["Too many."]}, "tools": [{}, {"name": ["No."]}]}).detail
    assert flatten(detail) == {"limits.steps": ["Too many."], "tools.1.name": ["No."]}
