"""The page of a report in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from helpers.browser import MISSING, chromium, log, requests
from helpers.shown_runs import EVIL, TRACKS, write_run

from mirprobe.reporting.report.page import write_report
from mirprobe.reporting.run_collection import collect_runs

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    write_report(collect_runs([write_run(folder / "run")]), folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def browser(driver: Chrome, address: str) -> Iterator[Chrome]:
    requests(driver)
    driver.get(address)
    yield driver
    assert log(driver, "browser") == []
    assert [url for url in requests(driver) if url.startswith("http")] == []


def ask(browser: Chrome, script: str, *values: Any) -> Any:
    return browser.execute_script(script, *values)


def column(browser: Chrome, table: str, place: int) -> list[str]:
    script = (
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].filter(r => !r.hidden)"
        ".map(r => r.cells[arguments[1]].textContent.trim())"
    )
    found: list[str] = ask(browser, script, table, place)
    return found


def click(browser: Chrome, selector: str, place: int = 0) -> None:
    ask(browser, "document.querySelectorAll(arguments[0])[arguments[1]].click()", selector, place)


def test_no_request_leaves_the_page_and_no_name_is_run(browser: Chrome, address: str) -> None:
    assert requests(browser) == [address]
    assert browser.title == "3 encoders on studio"
    assert EVIL in column(browser, "#leaderboard", 0)


def test_columns_are_sorted_up_and_down(browser: Chrome) -> None:
    for place in (2, 3):
        for turn in (1, -1):
            click(browser, "#leaderboard .sort", place)
            values = [
                float(re.sub("[a-z]+$", "", x)) for x in column(browser, "#leaderboard", place)
            ]
            assert values == sorted(values, reverse=turn > 0)
    click(browser, "#leaderboard .sort", 0)
    names = column(browser, "#leaderboard", 0)
    assert names == sorted(names)
    sorts = ask(
        browser,
        "return [...document.querySelectorAll('#leaderboard th')]"
        ".map(h => h.getAttribute('aria-sort')).filter(s => s && s !== 'none')",
    )
    assert sorts == ["ascending"]


def test_the_filter_hides_rows_in_every_table(browser: Chrome) -> None:
    ask(browser, "const f = document.getElementById('filter'); f.value = 'CHRO';"
        "f.dispatchEvent(new Event('input'))")  # fmt: skip
    for table in ("#leaderboard", "#task0 .ranked", "#encoders table"):
        assert column(browser, table, 0 if table != "#task0 .ranked" else 1) == ["chroma"]
    assert ask(browser, "return document.getElementById('found').textContent") == "1 of 3"


def test_one_task_is_shown_at_a_time_and_all_are_printed(browser: Chrome) -> None:
    shown = "return [...document.querySelectorAll('article')].map(a => getComputedStyle(a).display)"
    assert ask(browser, shown).count("block") == 1
    click(browser, ".tabs button", 2)
    assert ask(browser, shown) == ["none", "none", "block", "none"]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert ask(browser, shown) == ["block"] * 4
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_differences_to_any_encoder(browser: Chrome) -> None:
    first = column(browser, "#task0 .pairs table", 1)
    ask(browser, "const s = document.querySelector('#task0 select'); s.value = '2';"
        "s.dispatchEvent(new Event('change'))")  # fmt: skip
    last = column(browser, "#task0 .pairs table", 1)
    assert len(first) == len(last) == 2
    assert all(one.startswith("\N{MINUS SIGN}") for one in first)  # to the best
    assert all(one.startswith("+") for one in last)  # to the worst
    assert sorted(first)[-1][1:] in {one[1:] for one in last}


def test_tracks_are_listed_worst_first_and_shown_on_a_time_axis(browser: Chrome) -> None:
    for task, shapes in ((1, "rect:not(.wrong)"), (2, "path")):
        click(browser, ".tabs button", task)
        table = f"#task{task} .tracks-table"
        means = [
            sum(float(column(browser, table, place)[row]) for place in (1, 2, 3))
            for row in range(TRACKS)
        ]
        assert means == sorted(means)
        click(browser, f"{table} .pick", 3)
        picked = ask(browser, "return document.querySelector(arguments[0]).textContent",
                     f"#task{task} .pick[aria-pressed=true]")  # fmt: skip
        assert picked == column(browser, table, 0)[3]
        drawn = "return document.querySelectorAll(arguments[0]).length"
        lines = ask(browser, drawn, f"#task{task} .track .line")
        assert lines == 5  # reference, three encoders, axis
        marks = ask(browser, drawn, f"#task{task} .track {shapes}")
        assert marks == 4 * (8 if task == 1 else 16)


def test_beats_off_by_more_than_the_tolerance_are_marked(browser: Chrome) -> None:
    script = (
        "const svg = beats([100, 150, 208], [107, 142, 200], true, x => x, 300, {}, 'x');"
        "return [...svg.children].map(e => e.getAttribute('class'))"
    )
    assert ask(browser, script) == ["right", "wrong", "wrong"]


def test_chords_of_another_class_are_marked(browser: Chrome) -> None:
    """Of `C:maj` and `A:min` against `C:7`, `X`: only the time against `C:7` can be wrong."""
    script = (
        "const data = {labels: ['C:maj', 'A:min', 'C:7', 'X'], classes: [0, 21, 0, -1]};"
        "const svg = segments([0, 100, 0, 100, 300, 1], [0, 200, 2, 200, 300, 3], true, x => x,"
        " 300, data, 'x');"
        "return [...svg.querySelectorAll('.wrong')].map(e => [+e.getAttribute('x'),"
        " +e.getAttribute('width')])"
    )
    assert ask(browser, script) == [[100, 100]]


def test_a_table_is_copied_as_csv(browser: Chrome) -> None:
    text = ask(browser, "return csv(document.getElementById('leaderboard'))")
    lines = text.split("\r\n")
    assert lines[0].startswith('"encoder","mean rank","key mirex, n = 12"')
    assert len(lines) == 1 + 3 + 3
    ranked = ask(browser, "return csv(document.querySelector('#task0 .ranked'))")
    assert len({line.count('","') for line in ranked.split("\r\n")}) == 1


def test_everything_is_reached_by_keyboard(browser: Chrome) -> None:
    tags = ask(
        browser,
        "return [...document.querySelectorAll('[tabindex], button, select, input, a, summary')]"
        ".filter(e => e.tabIndex < 0).length",
    )
    assert tags == 0
    names = ask(
        browser,
        "return [...document.querySelectorAll('button, select, input, [role=region], [role=img]')]"
        ".filter(e => !(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label')))"
        ".length",
    )
    assert names == 0


@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_never_scrolls_sideways(browser: Chrome, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for task in range(4):
        click(browser, ".tabs button", task)
        assert ask(browser, "return document.documentElement.scrollWidth") <= width
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser: Chrome, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    colours = ask(
        browser,
        "const s = getComputedStyle(document.documentElement);"
        "return ['ink', 'soft', 'accent', 'wrong', 'page'].map(n => s.getPropertyValue('--' + n))",
    )
    *texts, page = map(luminance, colours)
    for text in texts:
        low, high = sorted((text, page))
        assert (high + 0.05) / (low + 0.05) > 4.5  # WCAG 2.1, AA
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def luminance(colour: str) -> float:
    digits = colour.strip().removeprefix("#")
    digits = "".join(2 * one for one in digits) if len(digits) == 3 else digits
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
