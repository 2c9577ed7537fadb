"""Which layers of an encoder a run probes."""

from __future__ import annotations

import pytest

from mirprobe.core.errors import ConfigError
from mirprobe.evaluation.setup import choose_layers

TWELVE = tuple(str(number) for number in range(1, 13))


@pytest.mark.parametrize(
    ("count", "thirds"),
    [(1, "1"), (2, "1 2"), (3, "1 2 3"), (4, "1 3 4"), (12, "4 8 12"), (24, "8 16 24")],
)
def test_thirds_of_the_layers(count: int, thirds: str) -> None:
    layers = [str(number + 1) for number in range(count)]
    assert choose_layers(layers, "thirds") == tuple(thirds.split())
    assert choose_layers(layers, "all") == tuple(layers)


def test_layers_by_name() -> None:
    assert choose_layers(TWELVE, "5") == ("5",)
    assert choose_layers(TWELVE, ["12", "1"]) == ("12", "1")
    assert choose_layers(["only"], ["4", "8"]) == ("only",)
    with pytest.raises(ConfigError, match=r"^unknown layer '13'; did you mean '3'\?$"):
        choose_layers(TWELVE, ["1", "13"])


@pytest.mark.parametrize("names", [[], ["4", "4"]])
def test_layers_that_make_no_choice(names: list[str]) -> None:
    with pytest.raises(ConfigError, match="name at least one, and none twice"):
        choose_layers(TWELVE, names)
