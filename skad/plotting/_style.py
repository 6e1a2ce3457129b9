"""Colours, lines and texts that all displays share."""

from numbers import Integral
from types import ModuleType
from typing import Any, NamedTuple


def import_pyplot(caller) -> ModuleType:
    """Return matplotlib.pyplot, or say how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{caller} needs matplotlib; install it with pip install "skad[plot]".'
        ) from error
    return plt


class Palette(NamedTuple):
    """Colours of one picture."""

    text: Any
    normal: str
    anomaly: str
    best: str
    precision: str
    recall: str

    @property
    def shade(self) -> tuple[str, float]:
        """Colour of anomalies behind lines; stronger on a dark background."""
        return self.anomaly, 0.65 if is_dark() else 0.4


def is_dark() -> bool:
    """Whether the current style writes in a light colour."""
    import matplotlib as mpl
    from matplotlib.colors import to_rgb

    return sum(to_rgb(mpl.rcParams["text.color"])) > 1.5


def palette() -> Palette:
    """Return colours that suit the current style, dark or light.

    They come from the palette of Okabe and Ito, some of them darkened for a white
    background, and have a contrast of at least 3 to the background. Those of one panel
    can be told apart with every kind of colour vision; precision and recall also differ
    in their dashes.
    """
    import matplotlib as mpl

    text = mpl.rcParams["text.color"]
    if is_dark():
        return Palette(text, "#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442")
    return Palette(text, "#0072B2", "#D55E00", "#009E73", "#A8407F", "#8A6A00")


def with_defaults(kwargs, **defaults) -> dict:
    """Merge the caller's line style, long or short names, into our defaults."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return {**defaults, **normalize_kwargs(kwargs or {}, Line2D)}


def threshold_style(kwargs, level) -> dict:
    """Style of the line at a threshold, under that of the caller."""
    return with_defaults(
        kwargs,
        color=palette().text,
        linestyle="--",
        linewidth=1.2,
        label=f"threshold {number(level)}",
    )


def tidy(ax) -> None:
    """Hide the upper and right borders and add faint lines at the ticks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def outline(ax) -> Any:
    """Outline in the background colour, for texts on top of lines."""
    from matplotlib.patheffects import withStroke

    return withStroke(linewidth=3, foreground=ax.get_facecolor())


def number(value) -> str:
    """Write a number, with a minus sign as long as a plus."""
    text = f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    # the sign of an exponent stays as it is
    return "\N{MINUS SIGN}" + text[1:] if text.startswith("-") else text


def as_text(name) -> str:
    """Write the name of a channel; a number is the position of an unnamed one."""
    return f"channel {name}" if isinstance(name, Integral) else str(name)


def inches(ax) -> tuple[float, float]:
    """Width and height of an axes."""
    return ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi
