"""How long the page of a report takes: to be made, and to answer in a browser.

Columns: encoders, tasks, size of the page, seconds of CPU time to make it, and the milliseconds of
CPU time that the page works from an action to the next painted frame (the median of 3). With 60
encoders and 20 tasks each action is to take less than 100 ms.
"""

from __future__ import annotations

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

ACTIONS = {
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
    print("encoders  tasks      MB  CPU s  " + "  ".join(f"{name:>9}" for name in ACTIONS))
    for encoders, tasks in ((5, list(METRICS)), (60, [*METRICS, *(f"task{n}" for n in range(16))])):
        with TemporaryDirectory() as folder:
            place = Path(folder)
            run = write_run(place / "run", [f"encoder-{n}" for n in range(encoders)], tasks)
            start = process_time()
            write_report(collect_runs(run), place / "page.html")
            seconds = process_time() - start
            size = (place / "page.html").stat().st_size / 1e6
            with chromium(place / "profile") as driver:
                driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
                driver.get((place / "page.html").as_uri())
                times: dict[str, list[float]] = {}
                for name, action in ACTIONS.items():
                    for _ in range(3):
                        before = busy(driver)
                        driver.execute_async_script(PAINTED % action)
                        times.setdefault(name, []).append(busy(driver) - before)
            middle = "  ".join(f"{median(own):6.0f} ms" for own in times.values())
            print(f"{encoders:8}  {len(tasks):5}  {size:6.2f}  {seconds:5.1f}  {middle}")


if __name__ == "__main__":
    main()
