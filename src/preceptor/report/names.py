"""The names that a function gives to its values, seen while it is being traced."""

import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import numpy as np

from preceptor.ops import Symbol
from preceptor.ops.primitive import is_ours


class Names:
    """Watches a function run and notes which of its variables held which value.

    A context manager. Python reports every call and return inside it; at each, the variables of the user's functions
    are looked at, so that a name is known even where it is used again for another value, and no source text is needed.
    The names in the traced function itself come before those in functions that it calls.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._code = getattr(function, "__code__", None)
        self._own: dict[Symbol, str] = {}  # symbols are compared by identity here
        self._called: dict[Symbol, str] = {}
        self._element: dict[Symbol, str] = {}
        self._arrays: dict[str, np.ndarray] = {}

    def of(self, value: Symbol) -> str | None:
        """The name of a traced value, None where it never had one."""
        for known in (self._own, self._called, self._element):
            if value in known:
                return known[value]
        return None

    def of_array(self, value: np.ndarray) -> str | None:
        """The name by which the function knows an array of these numbers; a program holds copies of its constants."""
        for name, array in self._arrays.items():
            if array.dtype == value.dtype and np.array_equal(array, value):
                return name
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
            if each.f_code is self._code:
                self._note_own(each.f_locals)
                self._note_arrays(each)
            elif not (is_ours(each) or each.f_code.co_name.startswith("<")):
                self._called.update((value, name) for name, value in each.f_locals.items() if isinstance(value, Symbol))
            else:
                continue
            if event == "return" and each is frame:
                self._note_elements(each.f_locals)

    def _note_own(self, variables: Mapping[str, Any]) -> None:
        for name, value in variables.items():
            if isinstance(value, Symbol):
                self._own.setdefault(value, name)

    def _note_arrays(self, frame: FrameType) -> None:
        for known, names in ((frame.f_locals, list(frame.f_locals)), (frame.f_globals, frame.f_code.co_names)):
            for name in names:
                if isinstance(known.get(name), np.ndarray):
                    self._arrays.setdefault(name, known[name])

    def _note_elements(self, variables: Mapping[str, Any]) -> None:
        for name, value in variables.items():
            if type(value) in (tuple, list):
                for i, element in enumerate(value):
                    if isinstance(element, Symbol):
                        self._element.setdefault(element, f"{name}[{i}]")
