"""One instruction of the native engine, run by itself on NumPy arrays."""

import numpy as np
import pytest

OUT = object()  # stands for the result among the words of an instruction
MARGIN = 64  # bytes before and behind a result, which must stay as they are


@pytest.fixture(scope="session")
def module():
    """The compiled module, with oneDNN."""
    native = pytest.importorskip("preceptor.engines.native._native", reason="installed without the native engine")
    from preceptor.engines.native.library import library_path

    native.load_onednn(library_path())
    return native


@pytest.fixture
def limited(module):
    """limited(isa): plans made from then on, until the test ends, use no instructions beyond this set."""
    before = module.isa()
    yield module.limit_isa
    module.limit_isa(before)


@pytest.fixture(scope="session")
def execute(module):
    """execute(kind, words, shape, dtype, threads=1, steps=1): makes and runs one instruction.

    Among the words an array stands for its place, (array, n) for the place n bytes behind it, `execute.out` for that of
    the result, None for no place. Each array is a segment of its own, so that a sanitizer sees what is read or written
    beyond it. With several steps an axis of so many comes first in all arrays and in the result.
    """

    def run(kind, words, shape, dtype=np.float32, threads=1, steps=1):
        shape = shape if steps == 1 else (steps, *shape)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = np.full(size + 2 * MARGIN, 0xA5, np.uint8)
        result = memory[MARGIN : MARGIN + size]
        arrays, numbers = [result], []
        for word in words:
            array, offset = word if isinstance(word, tuple) else (word, 0)
            if array is OUT:
                numbers.append(1 << 48)
            elif isinstance(array, np.ndarray):
                assert array.flags.c_contiguous
                arrays.append(array)
                numbers.append((len(arrays) << 48) + offset)
            else:
                numbers.append(-1 if word is None else int(word))
        plan = module.Plan(64, 1 + len(arrays), threads)
        plan.add(kind, numbers)
        strides = [each.nbytes // steps if steps > 1 else 0 for each in arrays]
        assert plan.run([each.ctypes.data for each in arrays], strides, steps) == steps
        assert np.all(memory[:MARGIN] == 0xA5)
        assert np.all(memory[MARGIN + size :] == 0xA5)
        return result.view(dtype).reshape(shape).copy()

    run.out = OUT
    return run
