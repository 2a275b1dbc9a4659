"""A real browser against a real server on a port of its own."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, ViewportSize, expect, sync_playwright
from werkzeug.serving import make_server

from tests.support.city import City, Staff

DESK_SCREEN: ViewportSize = {"width": 1366, "height": 768}
PHONE_SCREEN: ViewportSize = {"width": 390, "height": 844}
# Chromium without the windows and menus around a page, which take as much to draw and are seen by nobody.
PROGRAM = "/usr/bin/chromium-headless-shell"
# However busy the machine is.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# How long a fact may take on a machine that has much else to do.
PATIENCE_MILLISECONDS = 60_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)


@dataclass
class Visitor:
    """A browser window, and everything it complained about or asked for elsewhere."""

    page: Page
    base_url: str
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Listen from the first request on, and wait patiently for whatever comes."""
        self.page.context.set_default_timeout(PATIENCE_MS)
        self.page.on("console", lambda message: self._hear(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))

    def _hear(self, text: str) -> None:
        # How soon the page comes to what it had fetched ahead depends on the machine.
        if "was preloaded using link preload but not used" not in text:
            self.complaints.append(text)

    def _note(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.base_url).netloc:
            self.outside.append(url)

    def go(self, path: str) -> None:
        self.page.goto(f"{self.base_url}{path}")

    def sign_in(self, staff: Staff) -> None:
        """As a person does it."""
        self.go("/staff/sign-in")
        self.page.get_by_label("用户名").fill(staff.username)
        self.page.get_by_label("密码").fill(staff.password)
        with self.page.expect_navigation():
            self.page.get_by_role("button", name="登录", exact=True).click()

    def type_like_a_scanner(self, text: str) -> None:
        """Keys into the field that has the cursor, then Enter: a scanner cannot aim. Then the answer stands there."""
        self.page.wait_for_function("document.activeElement instanceof HTMLInputElement")
        self.page.keyboard.type(text)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def width_beyond_screen(self) -> int:
        """How far the page runs out of the window sideways, in pixels."""
        found = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return int(found)


@pytest.fixture
def base_url(committing_city: City) -> Iterator[str]:
    """The application behind a real port."""
    server = make_server("127.0.0.1", 0, committing_city.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserType]:
    """What starts browsers: one a process, a second one beside it is refused."""
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="session")
def browser(chromium: BrowserType) -> Iterator[Browser]:
    running = chromium.launch(executable_path=PROGRAM, args=QUIET, timeout=PATIENCE_MS)
    yield running
    running.close()


@pytest.fixture
def desk_window(browser: Browser, base_url: str) -> Iterator[Visitor]:
    """A window on a desk's screen."""
    context = browser.new_context(viewport=DESK_SCREEN, locale="zh-CN", timezone_id="Asia/Shanghai")
    yield from _open(context, base_url)


@pytest.fixture
def phone_window(browser: Browser, base_url: str) -> Iterator[Visitor]:
    """The same on a phone."""
    context = browser.new_context(
        viewport=PHONE_SCREEN, is_mobile=True, has_touch=True, locale="zh-CN", timezone_id="Asia/Shanghai"
    )
    yield from _open(context, base_url)


def _open(context: BrowserContext, base_url: str) -> Iterator[Visitor]:
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    visitor = Visitor(context.new_page(), base_url)
    visitor.watch()
    yield visitor
    context.close()
