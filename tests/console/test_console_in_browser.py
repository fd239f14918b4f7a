"""The console in Chromium: every page in both themes and three widths, and a decision by keyboard alone."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from foundation.actors import shell_actor
from foundation.identity.models import Membership
from foundation.identity.services import change_password
from foundation.tenancy.context import tenant
from tests.console.pages import with_waits
from tests.console.test_every_page import PAGES, address
from tests.foundation.api.world import World, furnish, make_organisation
from tests.not_run import chromium
from tests.servers import serving

pytestmark = pytest.mark.browser

CHROMIUM = chromium()
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update"]
SIZES = {"desk": (1440, 900), "phone": (390, 844), "narrow": (320, 640)}
STREAMLESS = "406"  # this server has no event streams, and the browser says so on the run's page
PASSWORD = "a long enough phrase 7"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing: the tests read the pages."""


class _Server(ThreadedWSGIServer):
    """Each request in a thread, whose connections end with it."""

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, then let the database go."""
        super().process_request_thread(request, client_address)
        connections.close_all()


@pytest.fixture(scope="module")
def world(django_db_blocker: Any) -> Iterator[World]:
    """One organisation for all pages: they are only looked at, but for the last test."""
    with django_db_blocker.unblock():
        yield with_waits(furnish(make_organisation("browser")))
        connections.close_all()


@pytest.fixture(scope="module")
def emails(world: World) -> dict[str, str]:
    """The addresses of the people by role; all have the same password."""
    found = {}
    with tenant(world.organisation.id):
        for role in ("administrator", "approver", "operator"):
            person = Membership.objects.select_related("user").get(principal=world.people[role])
            change_password(actor=shell_actor(world.organisation.id), user=person.user, password=PASSWORD)
            found[role] = person.user.email
    return found


@pytest.fixture(scope="module")
def site(world: World) -> Iterator[str]:
    server: WSGIServer = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=_Server, handler_class=_Quiet)
    with serving(server) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser(emails: dict[str, str]) -> Iterator[Browser]:
    """Started when the database has been asked: Playwright's loop would forbid it in this thread."""
    assert emails
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def axe() -> str:
    found = find_spec("axe_playwright_python")
    assert found is not None
    assert found.origin is not None
    return (Path(found.origin).parent / "axe.min.js").read_text()


def signed_in(browser: Browser, site: str, email: str) -> BrowserContext:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site}/sign-in/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/")
    page.close()
    return context


@pytest.fixture(scope="module")
def administrator(browser: Browser, site: str, emails: dict[str, str]) -> Iterator[BrowserContext]:
    context = signed_in(browser, site, emails["administrator"])
    yield context
    context.close()


def watched(context: BrowserContext, site: str, theme: str, size: str) -> tuple[Page, list[str]]:
    """A tab for all pages, and what it says of them."""
    context.add_cookies([{"name": "theme", "value": theme, "url": site}])
    page = context.new_page()
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return page, said


# How much wider than the screen the page is, as it stands and with names of one long word.
OVERFLOW = """(name) => {
    const page = document.documentElement, widths = [page.scrollWidth];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(name, "W".repeat(120));
    return Math.max(...widths, page.scrollWidth) - page.clientWidth;
}"""


# Times that are broken into two lines.
BROKEN = """() => [...document.querySelectorAll("time")]
    .filter(time => new Set([...time.getClientRects()].map(line => Math.round(line.top))).size > 1)
    .map(time => time.textContent)"""


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, 1], ids=["even", "odd"])  # half for each worker of the suite
@pytest.mark.parametrize(
    ("theme", "size"),
    [
        ("light", "desk"),
        ("dark", "phone"),
        ("light", "narrow"),
    ],
)
def test_every_page_is_clean(
    world: World, site: str, administrator: BrowserContext, axe: str, *, theme: str, size: str, part: int
):
    page, said = watched(administrator, site, theme, size)
    for name in [name for name in PAGES if "part=live" not in name][part::2]:
        answer = page.goto(site + address(name, world), wait_until="load")
        assert answer is not None
        assert answer.status == 200, name
        page.evaluate(axe)
        found = page.evaluate(
            "async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))])"
        )
        assert found == [], name
        assert page.evaluate(BROKEN) == [], name
        assert page.evaluate(OVERFLOW, world.canary) <= 0, name
        assert [line for line in said if STREAMLESS not in line] == [], name
        said.clear()
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_the_tab_of_the_page_is_in_view(site: str, administrator: BrowserContext, size: str):
    page, _ = watched(administrator, site, "light", size)
    page.goto(f"{site}/settings/security/")
    row, tab = page.locator(".tabs").bounding_box(), page.locator(".tabs [aria-current]").bounding_box()
    assert row is not None
    assert tab is not None
    assert row["x"] <= tab["x"]
    assert tab["x"] + tab["width"] <= row["x"] + row["width"] + 1
    page.close()


@pytest.mark.slow
def test_a_decision_by_keyboard_alone(world: World, site: str, browser: Browser, emails: dict[str, str]):
    context = signed_in(browser, site, emails["approver"])
    page = context.new_page()
    page.goto(f"{site}/")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url(f"{site}/approvals/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/approvals/{world.things['approvals']}/")
    page.get_by_label("Reason").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("approved now").wait_for()
    page.keyboard.press("Control+k")
    page.keyboard.type(str(world.things["runs"]))
    page.locator("#found a").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/runs/{world.things['runs']}/")
    page.locator(".wf-row").nth(1).click()
    page.wait_for_url("**/?step=1")
    page.locator("#inspector").get_by_text("Exact call", exact=True).wait_for()
    page.go_back()
    page.locator("#inspector").get_by_role("heading", name="What came in").wait_for()
    context.close()


@pytest.mark.slow
def test_without_script_lists_filters_and_forms_work(world: World, site: str, browser: Browser, emails: dict[str, str]):
    state = signed_in(browser, site, emails["operator"]).storage_state()
    context = browser.new_context(java_script_enabled=False, storage_state=state)
    page = context.new_page()
    page.goto(f"{site}/runs/")
    page.get_by_role("link", name="In flight").click()
    page.get_by_role("link", name=world.canary).first.click()
    page.get_by_role("link", name="papers.search").first.click()
    page.get_by_text("Exact call", exact=True).wait_for()
    page.get_by_role("button", name="Stop…").click()
    page.get_by_text("does not go on again").wait_for()
    page.get_by_role("button", name="Stop the run").click()
    page.get_by_text("What was done stays done.").wait_for()
    context.close()
