"""Passkeys in Chromium, with its virtual authenticator: made, used alone, and used after the password."""

from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIServer, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from foundation.actors import shell_actor
from foundation.identity.models import Membership
from foundation.identity.services import change_password
from foundation.tenancy.context import tenant
from tests.console.test_console_in_browser import ARGUMENTS, CHROMIUM, PASSWORD, _Quiet, _Server
from tests.foundation.api.world import World, make_organisation
from tests.servers import serving

pytestmark = pytest.mark.browser


@pytest.fixture
def world(database: Any) -> World:
    """People, and no more."""
    return make_organisation("passkeys")


@pytest.fixture
def email(world: World) -> str:
    with tenant(world.organisation.id):
        person = Membership.objects.select_related("user").get(principal=world.people["operator"])
        change_password(actor=shell_actor(world.organisation.id), user=person.user, password=PASSWORD)
        return person.user.email


@pytest.fixture
def site(email: str) -> Iterator[str]:
    """Under a name: a passkey belongs to a domain, and an address is none."""
    server: WSGIServer = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=_Server, handler_class=_Quiet)
    with serving(server) as port:
        yield f"http://localhost:{port}"
    connections.close_all()


@pytest.fixture
def browser(site: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def open_page(browser: Browser) -> tuple[BrowserContext, Page, list[str]]:
    """A page whose browser has a device that holds passkeys and always knows its owner."""
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }})  # fmt: skip
    return context, page, said


def enter_password(page: Page, site: str, email: str) -> None:
    page.goto(f"{site}/sign-in/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.slow
def test_a_passkey_is_made_and_signs_in(site: str, browser: Browser, email: str):
    context, page, said = open_page(browser)
    enter_password(page, site, email)
    page.goto(f"{site}/settings/security/passkey/")
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Make the passkey").click()
    page.get_by_text("They are shown this once").wait_for()
    page.goto(f"{site}/settings/security/")
    assert page.locator(".row-title", has_text="Laptop").is_visible()

    context.clear_cookies()
    page.goto(f"{site}/sign-in/passkey/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{site}/")

    context.clear_cookies()
    enter_password(page, site, email)
    page.wait_for_url(f"{site}/sign-in/code/**")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{site}/")

    page.goto(f"{site}/sign-in/again/?next=/settings/security/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{site}/settings/security/")
    assert said == []
    context.close()


@pytest.mark.slow
def test_a_passkey_of_nobody_opens_nothing(site: str, browser: Browser, email: str):
    context, page, _ = open_page(browser)
    page.goto(f"{site}/sign-in/passkey/")
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_text("No passkey was given").wait_for()
    context.close()
