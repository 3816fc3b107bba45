"""Pages in a real browser, headless: nothing runs, nothing is fetched, nothing overflows, and everything can be used.

Needs Debian's ``chromium`` and ``chromium-driver``, or Chrome with its driver on the path. Where there is none, leave
these tests out by saying so: ``pytest -m 'slow and not browser'``. Without a browser they fail, they do not pass.
"""

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import page_reports as pages
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from aistudio.report.html.difference import Job, difference
from aistudio.report.html.run_page import run_page
from aistudio.report.html.sweep_page import sweep_page

pytestmark = [pytest.mark.slow, pytest.mark.browser]
WIDTHS = (360, 1280, 2560)
AXE = Path(find_spec("axe_core_python").origin).parent / "axe.min.js"


@pytest.fixture(scope="module")
def chrome():
    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), "")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(180)  # axe on a busy machine
    yield driver
    driver.quit()


class Browser:
    """A browser that shows one page; ``console`` and ``requests`` are what the page caused so far."""

    def __init__(self, driver, folder):
        self.driver, self.folder = driver, folder
        self.console, self.requests = [], []

    def show(self, page, width=1280, mode="light", script=True):
        path = self.folder / "page.html"
        path.write_text(page, encoding="utf-8")
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": mode}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
        self.driver.get(path.as_uri())
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        self.listen(path.as_uri())
        return self

    def listen(self, own):
        self.console = self.driver.get_log("browser")
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
        self.requests = [url for url in sent if url != own and not url.startswith("data:")]
        failed = [one["params"] for one in events if one["method"] == "Network.loadingFailed"]
        self.refused = [one for one in failed if one.get("blockedReason") == "csp"]

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def column(self, index):
        """The texts of a column's cells in rows that are shown."""
        rows = "[...document.querySelectorAll('table.sorted tbody tr')].filter(row => !row.hidden)"
        return self.run(f"return {rows}.map(row => row.cells[arguments[0]]?.textContent)", index)


@pytest.fixture
def browser(chrome, tmp_path):
    return Browser(chrome, tmp_path)


def sweep(count=70, **changes):
    rows = pages.rows(count, **changes)
    old = [Job(replace(row, forward=row.forward and 3 * row.forward), {"torch": "2.11"}) for row in rows[2:]]
    found = difference([Job(row, {"torch": "2.14"}) for row in rows], old, "before")
    logs = {row.folder: "Traceback\nRuntimeError" for row in rows if row.outcome == "broke"}
    return sweep_page(rows, Path("sweep"), logs=logs, against=found)


def poisoned_sweep():
    words = ("job", "task", "architecture", "backbone", "level", "device", "reason", "folder")
    hostile = [*pages.HOSTILE, pages.ALL]
    rows = [
        replace(row, **dict.fromkeys(words, f"{hostile[index % len(hostile)]}"), seed=index)
        for index, row in enumerate(pages.rows(60))
    ]
    return sweep_page(rows, Path("sweep"), title=pages.ALL, logs={row.folder: pages.ALL for row in rows})


def checks(count):
    report = pages.report()
    report["checks"] = [{**report["checks"][index % 11], "name": f"{index:03}" + "n" * 297} for index in range(count)]
    return report


PAGES = {
    "run": lambda: run_page(pages.report()),
    "hostile run": lambda: run_page(pages.poisoned(pages.report())),
    "300 checks": lambda: run_page(checks(300)),
    "refused run": lambda: run_page({"verdict": "refused", "reason": "no\n  why  never", "config": {}}),
    "sweep": sweep,
    "hostile sweep": poisoned_sweep,
    "one row": lambda: sweep(1),
    "no rows": lambda: sweep_page([], Path("sweep")),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_silent_fetches_nothing_and_does_not_overflow(browser, name, width):
    browser.show(PAGES[name](), width)
    assert browser.console == [] and browser.requests == []
    assert browser.run("return window.pwned") is None
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run(OUTSIDE) == []


OUTSIDE = """
const inner = (element) => element.closest('.scroll, pre, .tip, .hidden, svg');
return [...document.querySelectorAll('body *')].filter((element) => {
  const box = element.getBoundingClientRect();
  return box.width && !inner(element) && (box.right > innerWidth + 1 || box.left < -1);
}).map((element) => element.outerHTML.slice(0, 100));
"""


def test_the_tests_would_see_a_message_a_request_and_an_overflow(browser):
    page = "<!doctype html><body><p style='width:3000px'>.</p><img src='missing.png'><script>console.log(1)</script>"
    browser.show(page, 360)
    assert browser.console and browser.requests and browser.run(OUTSIDE)


def test_the_policy_keeps_even_markup_that_got_through_from_doing_anything(browser):
    evil = "<script>window.pwned=1</script><img src=x onerror='window.pwned=2'><img src='https://example.org/a.png'>"
    browser.show(run_page(pages.report()).replace("</main>", f"{evil}</main>"))
    assert browser.run("return window.pwned") is None
    assert len(browser.refused) == len(browser.requests) == 2  # asked for, and never sent
    assert len(browser.console) >= 4  # each was refused, and said so


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", ["run", "refused run", "sweep", "hostile run", "hostile sweep", "no rows"])
def test_axe_finds_nothing(browser, name, mode):
    browser.show(PAGES[name](), 1280, mode)
    browser.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    found = violations(browser)
    assert [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found] == []


def violations(browser):
    browser.run(AXE.read_text(encoding="utf-8"))
    script = "const done = arguments[0]; axe.run(document).then((found) => done(found.violations))"
    return browser.driver.execute_async_script(script)


def test_axe_would_find_grey_on_grey_and_a_field_without_a_name(browser):
    browser.show("<!doctype html><html><body><p style='color:#aaa;background:#bbb'>words</p><input>")
    assert {"color-contrast", "label", "html-has-lang"} <= {one["id"] for one in violations(browser)}


def test_light_and_dark_are_not_the_same(browser):
    grounds = [
        browser.show(PAGES["run"](), mode=mode).run("return getComputedStyle(document.documentElement).backgroundColor")
        for mode in ("light", "dark")
    ]
    assert grounds[0] != grounds[1]


@pytest.mark.parametrize("name", ["run", "sweep"])
def test_a_page_is_complete_without_its_script(browser, name):
    with_script = browser.show(PAGES[name]()).run("return document.body.textContent")
    without = browser.show(PAGES[name](), script=False).run("return document.body.textContent")
    assert without.split() and set(with_script.split()) <= set(without.split())
    assert not any(tool.is_displayed() for tool in browser.all(".tools"))  # what would not work is not there


def heading(browser, words):
    return next(one for one in browser.all("table.sorted th") if one.text.startswith(words))


def place(browser, words):
    return [one.text.split(" ")[0] for one in browser.all("table.sorted th")].index(words)


def test_sorting_by_numbers_and_by_words_with_what_is_missing_last(browser):
    browser.show(PAGES["sweep"]())
    rows = {row.backbone: row for row in pages.rows(70)}
    names = place(browser, "backbone")
    for field in ("forward", "parameters", "top1"):
        words = {"top1": "top-1"}.get(field, field)
        heading(browser, words).find_element(By.TAG_NAME, "button").click()
        for order in ("ascending", "descending"):
            assert heading(browser, words).get_attribute("aria-sort") == order
            values = [getattr(rows[name], field) for name in browser.column(names) if rows[name].outcome != "broke"]
            assert values == sorted(values, reverse=order == "descending")
            assert all(rows[name].outcome == "broke" for name in browser.column(names)[-10:])
            heading(browser, words).find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)  # by keyboard, too
    heading(browser, "backbone").find_element(By.TAG_NAME, "button").click()
    assert browser.column(names) == sorted(rows)
    assert len(browser.all("th[aria-sort]")) == 1 and browser.driver.get_log("browser") == []


def test_filtering_by_words_and_by_outcome(browser):
    browser.show(PAGES["sweep"]())
    browser.one("input[type=search]").send_keys("REGRESSION backbone_0000")
    browser.run("return new Promise((done) => setTimeout(done, 200))")
    expected = [row for row in pages.rows(70) if row.task == "regression" and row.backbone < "backbone_0001"]
    assert sorted(browser.column(place(browser, "backbone"))) == [row.backbone for row in expected]
    assert browser.one("output").text == f"{len(expected)} of 70"
    assert browser.all(".point.away")
    browser.one("input[type=search]").clear()
    browser.one("button[data-outcome=broke]").click()
    browser.run("return new Promise((done) => setTimeout(done, 200))")
    assert browser.column(0) == ["broke"] * 10
    assert browser.one("button[data-outcome=broke]").get_attribute("aria-pressed") == "true"
    browser.one("button[data-outcome=broke]").click()
    assert len(browser.column(0)) == 70 and not browser.all(".point.away")


def test_hovering_names_the_point_and_so_do_the_arrow_keys(browser):
    browser.show(PAGES["sweep"]())
    point = browser.one(".point.best circle")
    webdriver.ActionChains(browser.driver).move_to_element(point).perform()
    key = browser.one(".point.on").get_attribute("data-row")
    name = browser.run(f"return document.querySelector('#r{key}').cells[2].textContent")
    tip = browser.one(".tip")
    assert tip.is_displayed() and name in tip.text and "images/s" in tip.text
    webdriver.ActionChains(browser.driver).move_to_element(browser.one("h1")).perform()
    assert not tip.is_displayed()
    browser.one(".scatter svg").send_keys(Keys.ARROW_RIGHT)
    first = tip.text
    browser.one(".scatter svg").send_keys(Keys.ARROW_RIGHT)
    assert tip.is_displayed() and tip.text != first
    browser.one(".scatter svg").send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()


def test_a_job_on_the_wall_leads_to_its_row(browser):
    browser.show(PAGES["sweep"]())
    browser.one("button[data-outcome=passed]").click()  # its row is away now
    browser.one(".failure .tiles a").click()
    browser.run("return new Promise((done) => setTimeout(done, 200))")
    target = browser.one("tr:target")
    assert target.is_displayed() and target.text.startswith("failed")


def test_printing_opens_what_is_closed(browser):
    browser.show(PAGES["run"]())
    assert browser.all("details:not([open])")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert not browser.all("details:not([open])")


def test_ten_thousand_rows_stay_quick(browser):
    browser.show(sweep_page(pages.rows(10_000), Path("sweep")))
    assert browser.console == [] and len(browser.column(0)) == 1000 and len(browser.all("tr[id]")) == 10_000
    took = browser.run("""
      const started = performance.now();
      document.querySelectorAll('table.sorted th button')[3].click();
      document.body.offsetHeight;
      return performance.now() - started;
    """)
    assert took < 3000, took  # a third of it on an idle machine
    browser.run("const frame = document.querySelector('.jobs .scroll'); frame.scrollTop = frame.scrollHeight")
    browser.run("return new Promise((done) => setTimeout(done, 300))")
    assert len(browser.column(0)) == 2000  # more as one scrolls
    browser.run("location.hash = 'r2500'")
    browser.run("return new Promise((done) => setTimeout(done, 1000))")
    assert browser.one("#r2500").is_displayed()


def test_the_keyboard_reaches_everything(browser):
    browser.show(PAGES["run"]())
    summaries = len(browser.all("summary"))
    reached = set()
    for _ in range(summaries + 5):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(browser.run("return document.activeElement.textContent.slice(0, 60)"))
    assert len(reached) >= summaries
