"""Nested containers taken apart and put together: arguments and results of functions are single arrays, dictionaries,
tuples or lists of them, to any depth."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Structure:
    """The shape of a container, without its leaves. `kind` is dict, tuple, list or None for a leaf."""

    kind: type | None
    keys: tuple = ()
    children: tuple["Structure", ...] = ()

    @property
    def size(self) -> int:
        """Number of leaves."""
        return 1 if self.kind is None else sum(child.size for child in self.children)

    def build(self, leaves: Iterator[Any]) -> Any:
        """Puts a container of this shape together from leaves in order."""
        if self.kind is None:
            return next(leaves)
        parts = [child.build(leaves) for child in self.children]
        return dict(zip(self.keys, parts, strict=True)) if self.kind is dict else self.kind(parts)


LEAF = Structure(None)


def flatten(value: Any) -> tuple[list, Structure]:
    """Takes a container apart into its leaves, in order, and its shape. Dictionaries are walked in sorted order."""
    if isinstance(value, dict):
        keys = tuple(sorted(value))
        parts = [flatten(value[key]) for key in keys]
        structure = Structure(dict, keys, tuple(s for _, s in parts))
    elif type(value) in (tuple, list):
        parts = [flatten(each) for each in value]
        structure = Structure(type(value), (), tuple(s for _, s in parts))
    else:
        return [value], LEAF
    return [leaf for leaves, _ in parts for leaf in leaves], structure


def map_leaves(function: Any, *values: Any) -> Any:
    """Applies a function to the leaves of containers of one shape, side by side."""
    flat = [flatten(value) for value in values]
    assert all(structure == flat[0][1] for _, structure in flat), "containers differ in shape"
    results = [function(*leaves) for leaves in zip(*(leaves for leaves, _ in flat), strict=True)]
    return flat[0][1].build(iter(results))
