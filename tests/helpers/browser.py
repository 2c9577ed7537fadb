"""A headless Chromium, driven by selenium; the browser and its driver are those of Debian."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "" if CHROMIUM and DRIVER else "no chromium: apt-get install chromium chromium-driver"


@contextmanager
def chromium(profile: Path, width: int = 1400, height: int = 900) -> Iterator[webdriver.Chrome]:
    """Start a browser with an empty profile.

    Args:
        profile: an empty folder.
        width: of the window, in pixels.
        height: of the window.
    """
    options = Options()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "headless", "no-sandbox", "disable-gpu", "disable-background-networking",
        "disable-dev-shm-usage", f"user-data-dir={profile}", f"window-size={width},{height}",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # a given driver, so that selenium looks for none
    driver = webdriver.Chrome(options, Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def log(driver: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    """What the browser logged since the last call; `browser` has the messages of the console."""
    found: list[dict[str, Any]] = driver.get_log(kind)  # type: ignore[no-untyped-call]
    return found


def requests(driver: webdriver.Chrome) -> list[str]:
    """The addresses that pages asked for since the last call, except those of the browser's own."""
    events = [json.loads(one["message"])["message"] for one in log(driver, "performance")]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
        and not event["params"]["request"]["url"].startswith("chrome://")
    ]
