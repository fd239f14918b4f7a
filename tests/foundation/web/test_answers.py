"""Headers, theme, reports of the policy, and pages of errors."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from foundation.web.csp import POLICY
from foundation.web.listing import defused


@pytest.fixture
def client(database: object, settings: Any) -> Client:
    # WhiteNoise warns of a folder that is not there, and here a warning is an error.
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    return Client()


def test_every_answer_carries_the_policy_and_a_name(client: Client):
    for path in ("/sign-in/", "/nowhere", "/static/remit/js/app.js", "/api/v1/runs"):
        answer = client.get(path)
        assert answer["Content-Security-Policy"] == POLICY, path
        assert answer["X-Content-Type-Options"] == "nosniff", path
        assert answer["X-Request-Id"], path
        answer.close()


def test_what_is_not_there_offers_a_search(client: Client):
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert 'action="/search"' in answer.content.decode()


def test_the_theme_is_kept_in_a_cookie_and_rendered(client: Client):
    answer = client.post("/theme", {"theme": "dark", "next": "/sign-in/"}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")
    assert answer.cookies["theme"]["httponly"]
    assert 'data-theme="dark"' in client.get("/sign-in/").content.decode()
    assert client.post("/theme", {"theme": "pink"}).status_code == 400
    assert client.post("/theme", {"theme": "light"}).status_code == 204


def test_the_theme_form_leads_nowhere_else(client: Client):
    answer = client.post("/theme", {"theme": "dark", "next": "//evil.example"}, headers={"Accept": "text/html"})
    assert answer["Location"] == "/"


def test_a_report_is_logged_in_part_and_asks_for_nothing(client: Client, caplog: pytest.LogCaptureFixture):
    report = {"csp-report": {"blocked-uri": "inline", "document-uri": "http://x/" + "y" * 500, "secret": "hidden"}}
    with caplog.at_level(logging.WARNING):
        assert client.post("/csp-report", json.dumps(report), content_type="application/csp-report").status_code == 204
        assert client.post("/csp-report", "[1", content_type="application/csp-report").status_code == 204
    assert "inline" in caplog.text
    assert "hidden" not in caplog.text
    assert "y" * 300 not in caplog.text


def test_formulas_are_defused_and_numbers_are_not():
    assert [defused(value) for value in ("=1+1", "+x", "-5", "-x", "@x", "plain", None, 0)] == [
        "'=1+1", "'+x", "-5", "'-x", "'@x", "plain", "", "0",
    ]  # fmt: skip
