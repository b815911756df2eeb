"""The names that a function gives to its values, seen while it is being traced."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from preceptor.ops import Symbol
from preceptor.ops.primitive import PACKAGE


class Names:
    """Watches a function run and notes which of its variables held which value.

    A context manager. Python reports every call and return inside it; at each, the variables of the user's functions
    are looked at, so that a name is known even where it is used again for another value, and no source text is needed.
    The names in the traced function itself come before those in functions that it calls.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._code = getattr(function, "__code__", None)
        self._own: dict[int, str] = {}  # by id of the value
        self._called: dict[int, str] = {}
        self._element: dict[int, str] = {}
        self._kept: list[Any] = []  # keeps ids from being given to other values

    def of(self, value: Any) -> str | None:
        """The name of a traced value or an array, None where it never had one."""
        for known in (self._own, self._called, self._element):
            if id(value) in known:
                return known[id(value)]
        return None

    def __enter__(self) -> "Names":
        self._before = sys.getprofile()
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _look(self, frame: FrameType, event: str, argument: Any) -> None:
        for each in (frame, frame.f_back):
            if each is None:
                continue
            own = each.f_code is self._code
            if own or not (each.f_code.co_filename.startswith(PACKAGE) or each.f_code.co_name.startswith("<")):
                self._note(each.f_locals, own, event == "return" and each is frame)

    def _note(self, variables: Any, own: bool, with_elements: bool) -> None:
        for name, value in list(variables.items()):
            if isinstance(value, (Symbol, np.ndarray)) and name.isidentifier():
                if own:
                    self._put(self._own, value, name, replace=False)
                else:
                    self._put(self._called, value, name, replace=True)
            elif with_elements and type(value) in (tuple, list):
                for i, element in enumerate(value):
                    if isinstance(element, (Symbol, np.ndarray)):
                        self._put(self._element, element, f"{name}[{i}]", replace=True)

    def _put(self, known: dict[int, str], value: Any, name: str, replace: bool) -> None:
        if id(value) not in known:
            self._kept.append(value)
        elif not replace:
            return
        known[id(value)] = name
