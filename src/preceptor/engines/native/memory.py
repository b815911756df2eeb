"""Where the arrays of a plan lie: one arena, in which memory is used again as soon as nothing needs what it held."""

from bisect import insort

from preceptor.engines.native.program import Buffer, Step

ALIGNED = 64  # bytes of a cache line


def lay_out(steps: list[Step]) -> int:
    """Gives every buffer of the plan's own its start, and returns the bytes of the arena.

    A result takes the memory of an operand of the same size that is read there for the last time, element by element;
    else the smallest gap that holds it.
    """
    live: dict[int, Buffer] = {}
    for number, step in enumerate(steps):
        for buffer in (*step.reads, *step.writes):
            root = buffer.root()
            if root.segment == 0:
                if root.first < 0:
                    root.first = number
                root.last = number
                live[id(root)] = root
    for number, step in enumerate(steps):
        taken: set[int] = set()
        for out, into in step.in_place:
            one, other = out.root(), into.root()
            fresh = one.segment == 0 and one.first == number and one.same is None
            dying = other.segment == 0 and other.last == number and other.first < number
            once = sum(buffer.root() is other for buffer in step.reads) == 1
            free = once and id(other) not in taken and id(one) in live
            if one is not other and fresh and dying and free and one.nbytes == other.nbytes:
                taken.add(id(other))
                one.same = other
                other.last = one.last
                del live[id(one)]
    return _pack(sorted(live.values(), key=lambda buffer: (-buffer.nbytes, buffer.first)))


def _pack(buffers: list[Buffer]) -> int:
    """Places buffers, the largest first, each into the lowest gap between those that live at the same time."""
    placed: list[tuple[int, int, int, int]] = []  # start, end, first and last of each, in this order
    end = 0
    for buffer in buffers:
        size, born, gone = _rounded(buffer.nbytes), buffer.first, buffer.last
        at = 0
        for start, stop, first, last in placed:
            if at + size <= start:
                break
            if first <= gone and born <= last and at < stop:
                at = stop
        buffer.start = at
        insort(placed, (at, at + size, born, gone))
        end = max(end, at + size)
    return end


def _rounded(nbytes: int) -> int:
    return -(-max(nbytes, 1) // ALIGNED) * ALIGNED
