"""What a product or a convolution does to its numbers before it writes them: a pass over memory less for each."""

from collections.abc import Container
from dataclasses import dataclass, replace

import numpy as np

from preceptor.engines.native.fusion import Facts
from preceptor.engines.native.operand import Operand, strip
from preceptor.engines.native.rewriting import constant_of
from preceptor.graph import Node


@dataclass(frozen=True)
class Ending:
    """In this order: numbers are added to each column, then those of an array of the same shape; what is below 0
    becomes 0, what is above the limit becomes the limit.

    Args:
        node: what the result then is.
        limit: 0 for none.
    """

    node: Node
    bias: Node | None = None
    beside: Node | None = None
    relu: bool = False
    limit: float = 0.0


def ending(facts: Facts, available: Container[int], node: Node, width: int) -> Ending:
    """A number for each of `width` columns, where they are in memory, and max(x, 0)."""
    return _rectified(facts, _with_bias(facts, available, Ending(node), width))


def whole_ending(facts: Facts, available: Container[int], node: Node) -> Ending:
    """The same of a convolution, which can also add an array and limit what it gives."""
    found = _with_bias(facts, available, Ending(node), node.shape[-1])
    if (added := _addition(facts, found.node)) is not None:
        user, term = added
        base = strip(term.source)[0]
        if term.varies is None and base.index in available and base is not node and term.source.size == node.size:
            found = replace(found, node=user, beside=term.source)
    return _limited(facts, _rectified(facts, found))


def numbers_of_columns(facts: Facts, node: Node) -> Node | None:
    """What a convolution might add to each column, and could do so at once, for it does not hang on the result."""
    added = _addition(facts, node)
    if added is None or not _is_vector(added[1], node.shape[-1]):
        return None
    base = strip(added[1].source)[0]
    return base if base.index < node.index else None


def _addition(facts: Facts, node: Node) -> tuple[Node, Operand] | None:
    """The only user of a node, where that adds something to all of it, and what it adds."""
    users = facts.users[node.index]
    if len(users) != 1 or users[0].primitive.name != "add" or facts.is_output[node.index]:
        return None
    if users[0].index not in facts.operands:  # NumPy computes it: of 64 bits
        return None
    one, other = facts.operands[users[0].index]
    term, whole = (other, one) if strip(one.source)[0] is node else (one, other)
    return (users[0], term) if whole.varies is None else None


def _is_vector(term: Operand, width: int) -> bool:
    fits = term.varies is not None and term.source.size == width and width in (term.columns() or ())
    return fits and term.source.spec.dtype == np.float32


def _with_bias(facts: Facts, available: Container[int], found: Ending, width: int) -> Ending:
    added = _addition(facts, found.node)
    if added is None or not _is_vector(added[1], width) or strip(added[1].source)[0].index not in available:
        return found
    return replace(found, node=added[0], bias=added[1].source)


def _rectified(facts: Facts, found: Ending) -> Ending:
    users = facts.users[found.node.index]
    if len(users) == 1 and users[0].primitive.name == "relu" and not facts.is_output[found.node.index]:
        return replace(found, node=users[0], relu=True)
    return found


def _limited(facts: Facts, found: Ending) -> Ending:
    """where(limit <= x, limit, relu(x))."""
    node = found.node
    users = {each.primitive.name: each for each in facts.users[node.index]}
    if found.relu or len(facts.users[node.index]) != 2 or set(users) != {"less_equal", "relu"}:
        return found
    test, relu = users["less_equal"], users["relu"]
    ends = facts.users[test.index]
    if len(ends) != 1 or [each.index for each in facts.users[relu.index]] != [ends[0].index]:
        return found
    if ends[0].primitive.name != "where":
        return found
    if any(facts.is_output[each.index] for each in (node, test, relu)):
        return found
    limit = clip_of(ends[0])
    return replace(found, node=ends[0], relu=True, limit=limit) if limit else found


def clip_of(node: Node) -> float:
    """The number c above 0 where a node is where(c <= x, c, relu(x)), a rectifier with a limit; else 0."""
    test, top, below = node.inputs
    limit = constant_of(top)
    if limit is None or limit <= 0 or node.spec.dtype != np.float32 or below.primitive.name != "relu":
        return 0.0
    test = strip(test)[0]
    if test.primitive.name != "less_equal" or constant_of(test.inputs[0]) != limit:
        return 0.0
    return float(limit) if strip(test.inputs[1])[0] is strip(below.inputs[0])[0] else 0.0
