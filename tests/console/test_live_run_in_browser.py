"""A running run in Chromium, over the real server: new steps come by themselves, and what was opened stays open."""

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from django.db import connections
from playwright.sync_api import Browser, Page, expect, sync_playwright

from agents.runs.models import Event, Run, Step
from config.asgi import application
from foundation.actors import shell_actor
from foundation.identity.models import Membership
from foundation.identity.services import change_password
from foundation.ids import uuid7
from foundation.tenancy.context import tenant
from tests.console.test_console_in_browser import ARGUMENTS, CHROMIUM, PASSWORD, signed_in
from tests.foundation.api.world import World, furnish, make_organisation

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOW = "2026-11-23T10:00:00Z"
SECOND = re.compile(r"^\d\d:\d\d:\d\d UTC$")


@pytest.fixture(scope="module")
def world(django_db_blocker: Any) -> Iterator[World]:
    """Its run is at work, with one step done."""
    with django_db_blocker.unblock():
        made = furnish(make_organisation("live"))
        run = made.things["runs"]
        Step.objects.using("engine").filter(run_id=run).update(
            state="succeeded", started_at=NOW, ended_at=NOW, output={"a": 1}, label={"integrity": "untrusted"}
        )
        Run.objects.using("engine").filter(pk=run).update(
            state="running", lease_until="2126-01-01T00:00Z", started_at=NOW, steps_written=1
        )
        yield made
        connections.close_all()


@pytest.fixture(scope="module")
def email(world: World) -> str:
    """The operator's address."""
    with tenant(world.organisation.id):
        person = Membership.objects.select_related("user").get(principal=world.people["operator"])
        change_password(actor=shell_actor(world.organisation.id), user=person.user, password=PASSWORD)
    return str(person.user.email)


@pytest.fixture(scope="module")
def site(world: World) -> Iterator[str]:
    """The server as `up` runs it, event streams included."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser(email: str) -> Iterator[Browser]:
    """Started when the database has been asked."""
    assert email
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(world: World, site: str, browser: Browser, email: str) -> Iterator[Page]:
    context = signed_in(browser, site, email)
    page = context.new_page()
    page.goto(f"{site}/runs/{world.things['runs']}/?step=1")
    page.evaluate("window.mark = 'the same page'")
    yield page
    context.close()


def written(world: World, *kinds: str, step: str = "", **change: Any) -> None:
    """What a worker writes, and its notice; in a thread, because Playwright's loop forbids it in this one."""

    def write() -> None:
        run = Run.objects.using("engine").get(pk=world.things["runs"])
        if step:
            Step.objects.using("engine").create(
                run_id=run.id, number=run.steps_written + 1, organisation_id=run.organisation_id, kind="tool_call",
                state="succeeded", name=step, decision_id=uuid7(), started_at=NOW, ended_at=NOW,
            )  # fmt: skip
        for number, kind in enumerate(kinds, run.events_written + 1):
            Event.objects.using("engine").create(
                run_id=run.id, number=number, organisation_id=run.organisation_id, kind=kind, data={}
            )
        Run.objects.using("engine").filter(pk=run.pk).update(
            events_written=run.events_written + len(kinds), steps_written=run.steps_written + bool(step), **change
        )
        with connections["engine"].cursor() as cursor:
            cursor.execute("SELECT pg_notify('remit_events', %s)", [str(run.id)])
        connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()


def test_a_stream_that_something_on_the_way_refuses_is_said_to_be_down_and_opened_again(world: World, page: Page):
    page.route("**/events/stream*", lambda route: route.fulfill(status=502))
    page.reload()
    banner = page.locator("#stream-banner")
    expect(banner).to_be_visible(timeout=10_000)
    expect(banner).to_contain_text(re.compile(r"from \d\d:\d\d:\d\d UTC"))
    expect(page.locator(".live")).to_be_hidden()
    page.unroute("**/events/stream*")
    page.get_by_role("button", name="Try now").click()
    expect(banner).to_be_hidden(timeout=10_000)
    expect(page.locator(".live")).to_be_visible()


def test_without_a_stream_it_is_read_anew_every_15_seconds_and_says_of_when_it_is(world: World, page: Page):
    page.clock.install()
    page.route("**/events/stream*", lambda route: route.fulfill(status=502))
    page.reload()
    banner = page.locator("#stream-banner")
    expect(banner).to_contain_text("the page is read anew every 15 seconds", timeout=10_000)
    since = page.locator("[data-since]")
    expect(since).to_have_text(SECOND)
    since.evaluate("shown => { shown.textContent = 'earlier' }")  # all of this may be in one second of the server
    rows = page.locator(".wf-row")
    before = rows.count()
    written(world, "step.succeeded", step="papers.unheard")
    page.clock.run_for(16_000)
    expect(rows).to_have_count(before + 1, timeout=10_000)
    expect(since).to_have_text(SECOND)
    expect(banner).to_be_visible()


def test_whoever_was_signed_out_signs_in_on_a_whole_page_and_comes_back(world: World, page: Page, email: str):
    address = page.url
    page.evaluate(
        """() => fetch("/sign-out/", {method: "POST", headers: {
            "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content}})"""
    )
    page.get_by_role("button", name="Try now").click(timeout=10_000)
    page.wait_for_url("**/sign-in/?next=*")
    expect(page.locator("#live")).to_have_count(0)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(address)


def test_a_run_is_followed_to_its_end_without_a_reload(world: World, page: Page):
    rows = page.locator(".wf-row")
    before = rows.count()
    page.get_by_text("Where its values come from").click()
    opened = page.locator("#inspector details")
    expect(opened).to_have_attribute("open", "")
    written(world, "step.succeeded", step="papers.search")
    expect(rows).to_have_count(before + 1, timeout=10_000)
    written(world, "run.pausing", pause_requested=True)
    expect(page.locator("#run-actions").get_by_role("button", name="Resume").first).to_be_visible(timeout=10_000)
    expect(page.get_by_text("It pauses before its next act")).to_be_visible()
    written(world, "run.unpaused", "step.succeeded", step="papers.last", pause_requested=False)
    expect(rows.filter(has_text="papers.last")).to_have_count(1, timeout=10_000)
    expect(opened).to_have_attribute("open", "")
    written(world, "run.succeeded", state="succeeded", ended_at=NOW, output={"text": "Done"}, lease_until=None)
    actions = page.locator("#run-actions")
    expect(actions.get_by_role("link", name="Replay").first).to_be_visible(timeout=10_000)
    expect(actions.get_by_role("button", name="Stop")).to_have_count(0)
    expect(page.locator("#live[data-stream]")).to_have_count(0)
    assert page.evaluate("window.mark") == "the same page"
