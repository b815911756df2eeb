"""What every record of a primitive must carry."""

from importlib import import_module
from pkgutil import iter_modules

import pytest

from preceptor import ops
from preceptor.ops import Primitive

FOUND = {
    value.name: value
    for found in iter_modules(ops.__path__)
    for value in vars(import_module(f"preceptor.ops.{found.name}")).values()
    if isinstance(value, Primitive)
}


@pytest.mark.parametrize("primitive", FOUND.values(), ids=str)
def test_records_are_complete(primitive):
    assert primitive.doc.endswith(".")
    assert (primitive.vjp is None) == bool(primitive.reason), "a reason stands where there is no derivative, only there"


def test_names_are_unique():
    primitives = {
        id(value): value.name
        for found in iter_modules(ops.__path__)
        for value in vars(import_module(f"preceptor.ops.{found.name}")).values()
        if isinstance(value, Primitive)
    }
    assert sorted(primitives.values()) == sorted(set(primitives.values()))
    assert 40 <= len(primitives) <= 60
