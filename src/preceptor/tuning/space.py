"""Where a search looks: the settings that it changes, and from where to where."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Space:
    """The settings that a search changes."""

    names: tuple[str, ...]

    def at(self, point: tuple[float, ...]) -> dict[str, Any]:
        """The settings of a point, as `fit` takes them; those whose condition does not hold are left out."""
        raise NotImplementedError


def space_of(asked: Mapping[str, str], kind: str) -> Space:
    """The default space for "a table" or "pictures", narrowed or widened as asked for."""
    raise NotImplementedError
