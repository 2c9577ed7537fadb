"""How long the page of a report takes: to be made, to be opened, and to answer in a browser.

Columns: encoders, tasks, test tracks, size of the page, seconds of CPU time to make it, and the
milliseconds of CPU time that the page works from an action to the next painted frame (the median of
3). With 12 encoders and 8 tasks the page is to have less than 5 MB. With 60 encoders and 20 tasks
each action but opening is to take less than 100 ms.
"""

from __future__ import annotations

import logging
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING

from helpers.browser import MISSING, chromium
from helpers.shown_runs import METRICS, write_run

from mirprobe.reporting.report.page import write_report
from mirprobe.reporting.run_collection import collect_runs

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SIZES = ((5, 4, 12), (12, 8, 150), (60, 20, 12))  # encoders, tasks, test tracks
ACTIONS = {
    "open": "",
    "sort": "document.querySelectorAll('#leaderboard .sort')[2].click()",
    "filter": "const f = document.getElementById('filter'); f.value = f.value ? '' : '1';"
    "f.dispatchEvent(new Event('input'))",
    "task": "window.n = (window.n || 0) + 1;"
    "document.querySelectorAll('.tabs button')[window.n].click()",
    "reference": "const s = document.querySelector('article:not([hidden]) select');"
    "s.value = +s.value + 1; s.dispatchEvent(new Event('change'))",
}
PAINTED = "const done = arguments[0]; %s; requestAnimationFrame(() => setTimeout(done))"


def busy(driver: Chrome) -> float:
    """Milliseconds of CPU time that the page has worked: scripts, styles, layout, painting."""
    found = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return float(1e3 * sum(one["value"] for one in found if one["name"] == "TaskDuration"))


def main() -> None:
    if MISSING:
        print(MISSING)
        return
    logging.disable(logging.WARNING)  # the tasks beside METRICS are not installed
    print("encoders  tasks  tracks      MB  CPU s  " + "  ".join(f"{name:>9}" for name in ACTIONS))
    for encoders, count, tracks in SIZES:
        tasks = [*METRICS, *(f"task{number}" for number in range(count - len(METRICS)))]
        with TemporaryDirectory() as folder:
            place = Path(folder)
            names = [f"encoder-{number}" for number in range(encoders)]
            run = write_run(place / "run", names, tasks, tracks)
            start = process_time()
            write_report(collect_runs(run), place / "page.html")
            seconds = process_time() - start
            size = (place / "page.html").stat().st_size / 1e6
            with chromium(place / "profile") as driver:
                driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
                times: dict[str, list[float]] = {}
                for name, action in ACTIONS.items():
                    for _ in range(3):
                        if name == "open":
                            driver.get("about:blank")
                        before = busy(driver)
                        if name == "open":
                            driver.get((place / "page.html").as_uri())
                        driver.execute_async_script(PAINTED % action)
                        times.setdefault(name, []).append(busy(driver) - before)
            middle = "  ".join(f"{median(own):6.0f} ms" for own in times.values())
            print(f"{encoders:8}  {count:5}  {tracks:6}  {size:6.2f}  {seconds:5.1f}  {middle}")


if __name__ == "__main__":
    main()
