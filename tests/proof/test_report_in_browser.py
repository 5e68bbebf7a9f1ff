"""A report as a real browser shows it; skipped where there is no Chromium."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from reports import DEMANDING, chain_report, three_decisions

from edge_runtime.data.datasets import Dataset
from edge_runtime.proof.report import notebook_html, report_html

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="selenium is missing; pip install '.[dev]'"
)
Browser = Any  # selenium.webdriver.Chrome

_PHONE, _DESKTOP = 390, 1280
# As root, in a container, and without a word to anybody.
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


@dataclass(frozen=True)
class Shown:
    """What a browser has to say about a page, every fold of it opened."""

    errors: list[str]
    outside: list[str]
    height: int
    overflow: int
    background: str
    broken_images: int


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("there is no Chromium with its chromedriver; apt install chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (*_OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield running
    running.quit()


@pytest.fixture(params=["of a run", "with every decision", "with long names"])
def report(request: pytest.FixtureRequest, sample: Dataset, tmp_path: Path) -> Path:
    if request.param == "of a run":
        folder: Path = request.getfixturevalue("run_folder")
        return folder / "parity" / "report.html"
    made = three_decisions()
    if request.param == "with long names":
        names, models = ("|" * 90, "W" * 90, "猫" * 90), ("m" * 90, "`x" * 90, "int8 " * 90)
        made = chain_report(classes=3, names=names, models=models, contract=DEMANDING)
    page = tmp_path / "report.html"
    page.write_text(report_html(made, sample.test.images), encoding="utf-8")
    return page


def shown(browser: Browser, page: Path, *, width: int = _DESKTOP, scheme: str = "light") -> Shown:
    """Open a page, and return what the browser has to say about it."""
    screen = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width == _PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page.as_uri())
    height, overflow, background, broken_images = browser.execute_script(
        "document.querySelectorAll('details').forEach(fold => fold.open = true);"
        "const root = document.documentElement;"
        "return [root.scrollHeight, root.scrollWidth - root.clientWidth,"
        " getComputedStyle(document.body).backgroundColor,"
        " [...document.images].filter(image => !image.naturalWidth).length]"
    )
    return Shown(
        [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"],
        _requests_outside(browser, page.as_uri()),
        height,
        overflow,
        background,
        broken_images,
    )


def _requests_outside(browser: Browser, address: str) -> list[str]:
    """Return what a page asked for that is neither itself nor within itself."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
        and event["params"]["documentURL"] == address
    ]
    assert address in asked
    return [url for url in asked if url != address and not url.startswith("data:")]


@pytest.mark.parametrize("width", [_PHONE, _DESKTOP])
def test_a_report_opens_without_an_error_a_request_or_a_sideways_scroll(
    browser: Browser, report: Path, width: int
) -> None:
    page = shown(browser, report, width=width)
    assert (page.errors, page.outside) == ([], [])
    assert (page.overflow, page.broken_images) == (0, 0)
    assert page.height > 1000


@pytest.mark.parametrize("report", ["of a run"], indirect=True)
def test_no_table_of_a_report_is_cut_off_on_a_desktop(browser: Browser, report: Path) -> None:
    shown(browser, report, width=1200)
    wider = browser.execute_script(
        "return [...document.querySelectorAll('.scroller')]"
        ".map(each => each.scrollWidth - each.clientWidth)"
    )
    assert len(wider) > 5
    assert max(wider) == 0


def test_a_report_is_dark_where_the_system_is(browser: Browser, report: Path) -> None:
    assert shown(browser, report).background == "rgb(255, 255, 255)"
    assert shown(browser, report, scheme="dark").background == "rgb(15, 22, 29)"


def test_a_printed_table_that_fits_on_a_page_is_not_divided(browser: Browser, report: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.get(report.as_uri())
    breaks = browser.execute_script(
        "return [...document.querySelectorAll('table, .scroller')]"
        ".map(each => getComputedStyle(each).breakInside)"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert len(breaks) > 5
    assert set(breaks) == {"avoid"}


def test_the_style_of_a_notebook_s_fragment_applies_to_it_alone(
    browser: Browser, tmp_path: Path
) -> None:
    page = tmp_path / "notebook.html"
    outside = (
        "<h1 id=a>A</h1><p id=b>b</p><table><tr><td id=c>c</td></tr></table><small id=d>d</small>"
    )
    looks = (
        "return ['a', 'b', 'c', 'd'].map(id => document.getElementById(id)).concat(document.body,"
        " document.documentElement).map(each => JSON.stringify(["
        "'color', 'backgroundColor', 'font', 'margin', 'padding', 'textAlign', 'maxWidth',"
        " 'colorScheme'].map(key => getComputedStyle(each)[key])))"
    )
    alone = f"<!DOCTYPE html><meta charset=utf-8>{outside}"
    page.write_text(alone, encoding="utf-8")
    shown(browser, page, scheme="dark")
    before = browser.execute_script(looks)
    page.write_text(f"{alone}{notebook_html(three_decisions())}", encoding="utf-8")
    found = shown(browser, page, scheme="dark")
    assert browser.execute_script(looks) == before
    assert (found.errors, found.outside, found.overflow) == ([], [], 0)
    styled = "const it = getComputedStyle(document.querySelector('.fmnist-edge')); "
    assert browser.execute_script(f"{styled}return it.backgroundColor") == "rgb(15, 22, 29)"


@pytest.mark.parametrize(
    ("body", "noticed"),
    [
        ("<script>console.error('no')</script>", lambda page: page.errors),
        ("<img src='https://example.invalid/a.png'>", lambda page: page.outside),
        ("<p style='width: 500px'>wide</p>", lambda page: page.overflow),
    ],
)
def test_what_a_report_must_not_do_would_be_noticed(
    browser: Browser, tmp_path: Path, body: str, noticed: Callable[[Shown], object]
) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        f"<!DOCTYPE html><meta name=viewport content='width=device-width'>{body}", encoding="utf-8"
    )
    assert noticed(shown(browser, page, width=_PHONE))
