"""Figures without pyplot. Matplotlib is an optional dependency, imported when needed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirprobe.core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg")

BLUE, ORANGE, GREEN, GREY = "#2f6db5", "#d9622b", "#3a8f5c", "#8a8a8a"
VIOLET = "#7d55b0"
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
    "svg.hashsalt": "mirprobe",  # makes ids reproducible
}


def require_matplotlib() -> None:
    """Check that figures can be drawn, before work begins.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "figures need matplotlib; install it with pip install 'mirprobe[figures]'"
        ) from error


def check_ending(path: Path) -> None:
    """Check that the file of a figure is PNG or SVG.

    Raises:
        ConfigError: another ending.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"{path}: a figure ends in {' or '.join(ENDINGS)}; rename --output")


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
        ending: `.png` or `.svg`.
        dpi: dots per inch, for PNG.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:  # the layout differs slightly between calls
        bounds = axes.get_position(original=True).bounds
        axes.set_position(tuple(round(value, 6) for value in bounds))
    buffer = BytesIO()
    kind = ending.lower().removeprefix(".")
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()
