"""Sphinx builds the site from these pages: `make docs`. Needs no network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from reference_pages import write_pages

from mirprobe.reporting.compare import reference_runs
from mirprobe.reporting.report.page import write_report
from mirprobe.reporting.run_collection import collect_runs

project = "mirprobe"
author = "The mirprobe authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
napoleon_custom_sections = [("Optional attributes", "params_style")]
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
html_theme = "pydata_sphinx_theme"
html_title = "mirprobe"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
copyright = "the mirprobe authors, MIT"


def setup(app: Any) -> None:
    """Write the reference pages before Sphinx reads them, and a report beside the built pages."""
    app.connect("builder-inited", lambda _: write_pages(Path(__file__).parent / "reference"))
    app.connect("build-finished", write_example)


def write_example(app: Any, error: Exception | None) -> None:
    """The page of `mirprobe report` of the runs that come with the package."""
    if error is None and app.builder.format == "html":
        write_report(collect_runs(reference_runs()), Path(app.outdir) / "example.html")
