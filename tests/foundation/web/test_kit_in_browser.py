"""Every component in Chromium: both themes, desk and phone, without an axe or policy violation."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.not_run import chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = chromium()
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update"]
SIZES = {"desk": (1440, 900), "phone": (390, 844), "narrow": (320, 640)}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "kit" / "site.py"), "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()
    process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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


def open_page(browser: Browser, address: str, theme: str, size: str) -> tuple[Page, list[str]]:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=size != "desk")
    context.add_cookies([{"name": "theme", "value": theme, "url": address}])
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(f"request {request.url}") if "stolen" in request.url else None)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return page, said


def violations(page: Page, axe: str) -> list[Any]:
    page.evaluate(axe)
    return page.evaluate(
        "async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))])"
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["home", "run", "parts"])
def test_page_is_clean(site: str, browser: Browser, axe: str, *, name: str, theme: str, size: str):
    page, said = open_page(browser, f"{site}/{name}", theme, size)
    assert violations(page, axe) == []
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == theme
    page.context.close()


def test_the_policy_does_block_and_axe_does_find(site: str, browser: Browser, axe: str):
    page, said = open_page(browser, f"{site}/home", "light", "desk")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p><img src=\"/x.png\">')")
    assert any("Content Security Policy" in line for line in said)
    assert "image-alt" in [name for name, _ in violations(page, axe)]
    page.context.close()


def test_theme_switches_without_reload_and_stays(site: str, browser: Browser):
    page, _ = open_page(browser, f"{site}/home", "light", "desk")
    with page.expect_response("**/theme") as answer:
        page.get_by_role("button", name="Dark theme").click()
    assert answer.value.status == 204
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.context.close()


def test_palette_opens_by_key_filters_and_goes(site: str, browser: Browser):
    page, _ = open_page(browser, f"{site}/home", "light", "desk")
    page.keyboard.press("Control+k")
    page.keyboard.type("runs")
    page.keyboard.press("Enter")
    page.wait_for_url("**/run")
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_url("**/home")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keyboard shortcuts").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "Refund €1,840.00 to Hanna Weiss"
    page.context.close()


def test_escape_closes_the_palette_and_gives_the_focus_back(site: str, browser: Browser):
    page, _ = open_page(browser, f"{site}/home", "light", "desk")
    page.keyboard.press("j")
    before = page.evaluate("document.activeElement.textContent")
    palette = page.locator("#palette")
    for _ in range(2):
        page.keyboard.press("Control+k")
        assert palette.is_visible()
        assert page.evaluate("document.activeElement.closest('#palette') !== null")
        page.keyboard.type("runs")
        page.keyboard.press("Escape")
        assert not palette.is_visible()
        assert page.evaluate("document.activeElement.textContent") == before
        assert page.url == f"{site}/home"
    page.context.close()


def test_the_drawer_opens_on_a_phone_without_script(site: str, browser: Browser):
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/home")
    assert not page.locator("#sidebar").is_visible()
    page.get_by_role("button", name="Menu").click()
    assert page.locator("#sidebar").is_visible()
    context.close()
