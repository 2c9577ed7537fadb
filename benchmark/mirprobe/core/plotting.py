"""Figures without pyplot. Matplotlib is an optional dependency, imported when needed."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from html import escape
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

from mirprobe.core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")

BLUE, ORANGE, GREEN, GREY = "#2f6db5", "#d9622b", "#3a8f5c", "#8a8a8a"
VIOLET = "#7d55b0"
INK = "#1d1f24"
"""Text and axes; `inline_svg` replaces it by the colour of the text around the figure."""
COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#66ccee", "#ccbb44")
"""Colours that colour-blind readers can distinguish.

Source: Tol, Colour Schemes, SRON/EPS/TN/09-002, 2021, `bright`.
"""
MARKERS = "osD^vPX"
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
    "svg.hashsalt": "mirprobe",  # makes ids reproducible
    "pdf.fonttype": 42,  # fonts are embedded as TrueType
}


def require_matplotlib() -> None:
    """Check that figures and pages can be made, before work begins.

    Raises:
        ConfigError: matplotlib or Jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "figures need matplotlib; install it with pip install 'mirprobe[figures]'"
        ) from error


def new_figure(width: float, height: float) -> Figure:
    """An empty figure with a constrained layout; call it, and draw, within `style`.

    Args:
        width: in inches.
        height: in inches.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def style() -> AbstractContextManager[None]:
    """A context with the style of all figures; draw and render within it."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def render(figure: Figure, ending: str, *, dpi: int = 130) -> bytes:
    """Render a figure to the content of a file; equal figures give equal bytes.

    Args:
        figure: the figure.
        ending: `.png`, `.svg` or `.pdf`.
        dpi: dots per inch, for PNG.
    """
    fix_layout(figure)
    buffer = BytesIO()
    kind = ending.lower().removeprefix(".")
    metadata = {{"svg": "Date", "pdf": "CreationDate"}.get(kind, "Software"): None}
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def inline_svg(figure: Figure, prefix: str) -> str:
    """Render a figure as an `<svg>` element of a page: text stays text and takes its colour.

    Args:
        figure: its label, set by `set_label`, is the text for screen readers.
        prefix: of all ids, so that they differ from those of other figures of the page.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    fix_layout(figure)
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_visible(False)
    text = StringIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        # `savefig` would draw twice
        write: Any = FigureCanvasSVG(figure).print_svg
        write(text, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    opening = f'<svg role="img" aria-label="{escape(str(figure.get_label()), quote=True)}"'
    return opening + re.sub(r'^<svg( width="\S+?"| height="\S+?")*', "", svg)


def fix_layout(figure: Figure) -> None:
    """Compute the layout of a figure and keep it; a second call changes nothing."""
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:  # the layout differs slightly between calls
        bounds = axes.get_position(original=True).bounds
        axes.set_position(tuple(round(value, 6) for value in bounds))
