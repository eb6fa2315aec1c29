"""The report in headless Chromium: fits a phone, filters samples, runs nothing a model wrote."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agenttuning import report
from tests.report.synthetic import make_all

pytestmark = pytest.mark.browser

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium steered by selenium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium or chromedriver is not on PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in FLAGS.split():
        options.add_argument(flag)
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = make_all(tmp_path_factory.mktemp("runs"))
    return report.build(runs, runs / "report").parent


def phone(browser: Any, width: int = 375) -> None:
    settings = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", settings)


HOSTILE_RUN = "samples/smollm2-135m--gsm8k--smoke-kit"


@pytest.mark.parametrize("page", ["report.html", f"{HOSTILE_RUN}/index.html", f"{HOSTILE_RUN}/page-1.html"])
@pytest.mark.parametrize("width", [320, 375])
def test_no_horizontal_overflow_on_a_phone(browser: Any, built: Path, page: str, width: int) -> None:
    phone(browser, width)
    browser.get((built / page).as_uri())
    # Unfold everything: what is hidden must fit as well.
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert browser.execute_script("return window.innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.body.scrollWidth") <= width


def test_hostile_transcript_is_shown_and_does_not_run(browser: Any, built: Path) -> None:
    browser.get((built / HOSTILE_RUN / "page-1.html").as_uri())
    assert browser.title == "smollm2-135m/gsm8k/smoke-kit: transcripts"
    shown = browser.find_element("css selector", "#s-0 .turn.assistant pre").text
    assert shown.startswith('<script>document.title = "owned"</script><img src=x')
    assert browser.execute_script("return document.scripts.length") == 1
    assert browser.execute_script("return document.images.length") == 0


def test_policy_blocks_scripts_that_are_not_ours(browser: Any, built: Path) -> None:
    """Were escaping ever to fail, the Content-Security-Policy must still hold."""
    page = built / HOSTILE_RUN / "page-1.html"
    injected = page.with_name("injected.html")
    injected.write_text(page.read_text().replace("<h1>", "<script>document.title = 'owned'</script><h1>", 1))
    browser.get(injected.as_uri())
    injected.unlink()
    assert browser.title == "smollm2-135m/gsm8k/smoke-kit: transcripts"


def test_filter_shows_only_what_was_asked_for(browser: Any, built: Path) -> None:
    browser.get((built / HOSTILE_RUN / "index.html").as_uri())
    visible = "return [...document.querySelectorAll('tr[data-status]')].filter(r => r.offsetParent).length"
    assert browser.execute_script(visible) == 12
    choose = "const s = document.querySelector('form.filter').elements[arguments[0]]; s.value = arguments[1];"
    choose += "s.dispatchEvent(new Event('change', {bubbles: true}))"
    browser.execute_script(choose, "status", "invalid_format")
    rows = browser.execute_script(visible)
    assert 0 < rows < 12
    browser.execute_script(choose, "reward", "one")
    assert 0 < browser.execute_script(visible) < rows
    assert "of 12" in browser.find_element("css selector", "form.filter output").text


def test_pages_give_no_error(browser: Any, built: Path) -> None:
    browser.get_log("browser")
    for page in ("report.html", f"{HOSTILE_RUN}/index.html", f"{HOSTILE_RUN}/page-1.html"):
        browser.get((built / page).as_uri())
    assert browser.get_log("browser") == []
