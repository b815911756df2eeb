"""Operations with weights: convolutions, products with matrices, norms."""

from collections.abc import Sequence

import numpy as np

from preceptor.foreign.onnx_in.values import Value
from preceptor.foreign.onnx_in.walk import Operation, Step
from preceptor.nn import BatchNorm, Convolution, Dense, LayerNorm, LocalResponseNorm, MemberDense

Pads = tuple[tuple[int, int], ...]


def one_or_all(values: Sequence[int]) -> int | tuple[int, ...]:
    """One number where all are equal."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def windows(
    step: Step, axes: int, size: Sequence[int], lengths: Sequence[int]
) -> tuple[tuple[int, ...], Pads, tuple[int, ...]]:
    """Stride, padding (before, after) and dilation of the windows of an operation, one for each axis of space."""
    stride = step.wholes("strides", (1,) * axes)
    dilation = step.wholes("dilations", (1,) * axes)
    pads = step.wholes("pads", (0,) * 2 * axes)
    if (len(size), len(stride), len(dilation), len(pads)) != (axes, axes, axes, 2 * axes):
        step.refuse(f"its windows are not of the {axes} axes of space")
    if min(size) < 1 or min(stride) < 1 or min(dilation) < 1 or min(pads) < 0:
        step.refuse("a window, stride, dilation or padding is below what it can be")
    auto = step.text("auto_pad", "NOTSET")
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", ""):
        step.refuse(f"its auto_pad is {auto[:20]!r}")
    pairs = tuple(zip(pads[:axes], pads[axes:], strict=True))
    if auto == "VALID":
        pairs = ((0, 0),) * axes
    elif auto.startswith("SAME"):
        spans = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
        total = [max((-(-n // s) - 1) * s + span - n, 0) for n, s, span in zip(lengths, stride, spans, strict=True)]
        less = [each // 2 for each in total]
        more = [each - each // 2 for each in total]
        pairs = tuple(zip(less, more, strict=True) if auto == "SAME_UPPER" else zip(more, less, strict=True))
    return stride, pairs, dilation


def padding_of(pads: Pads, size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> str | int | Pads:
    """Padding in the fewest words: "valid", "same" where it is so at every size, a number, pairs."""
    if not any(map(any, pads)):
        return "valid"
    around = [(k - 1) * d for k, d in zip(size, dilation, strict=True)]
    if set(stride) == {1} and all(pair == (n // 2, n - n // 2) for pair, n in zip(pads, around, strict=True)):
        return "same"
    return pads[0][0] if len({each for pair in pads for each in pair}) == 1 else pads


def _convolution(step: Step) -> Value:
    x, weight = step.value(), step.constant(1)
    axes = weight.ndim - 2
    if not 1 <= axes <= 3 or len(x.axes) != axes + 1:
        step.refuse(f"its input has {len(x.axes) + 1} axes, its weight {weight.ndim}", "1 to 3 axes of space are read.")
    size, groups = weight.shape[2:], step.whole("group", 1)
    given = step.wholes("kernel_shape", size)
    if given != size or weight.size == 0:
        step.refuse(f"its kernel_shape is {given}, its weight has the shape {weight.shape}")
    stride, pads, dilation = windows(step, axes, size, x.shape[1:])
    filters, channels = weight.shape[:2]
    if groups < 1 or channels * groups != x.shape[0] or filters % groups:
        step.refuse(
            f"its input has {x.shape[0]} channels, its weight the shape {weight.shape}, in {groups} groups; they do "
            "not fit"
        )
    bias = step.has(2)
    params = {"bias": step.held(step.constant(2).reshape(filters))} if bias else {}
    if len(x.stored) == 1 and set(size) | set(stride) | {groups} == {1} and not any(map(any, pads)):
        # of one place, as behind the mean over all: a dense layer
        matrix = weight.reshape(filters, channels).T
        params["weight"] = step.held(matrix[x.rows.positions()] if x.rows else matrix)
        part, stored = step.emit(Dense(filters, bias), [x], params, source=step.name_of(1))
        return Value(part, stored, (0, *[None] * axes))
    x = step.channels_last(x)
    params["weight"] = step.held(np.moveaxis(weight, (0, 1), (-1, -2)))
    layer = Convolution(
        filters,
        one_or_all(size),
        one_or_all(stride),
        padding_of(pads, size, stride, dilation),
        one_or_all(dilation),
        groups,
        bias,
    )
    part, stored = step.emit(layer, [x], params, source=step.name_of(1))
    return Value(part, stored, x.axes)


def _gemm(step: Step) -> Value:
    alpha, beta = step.real("alpha", 1.0), step.real("beta", 1.0)
    weight = step.constant(1)
    if step.whole("transA", 0) or weight.ndim != 2:
        step.refuse("its first factor is transposed, or its second no matrix")
    weight = weight.T if step.whole("transB", 0) else weight
    weight = weight if alpha == 1 else weight * np.float32(alpha)
    bias = None
    if step.has(2) and beta != 0:
        given = step.constant(2)
        if (
            given.ndim > 2
            or given.size not in (1, weight.shape[1])
            or given.shape[-1:] not in ((), (1,), (given.size,))
        ):
            step.refuse(f"its bias has the shape {given.shape}, its weight {weight.shape}")
        step.walk.budget.take(weight.shape[1:])
        bias = np.broadcast_to(given.ravel(), weight.shape[1:])
        bias = bias if beta == 1 else bias * np.float32(beta)
    x = step.value()
    if len(x.axes) != 1:
        step.refuse(f"its input has {len(x.axes) + 1} axes; a batch and features are required")
    return _dense(step, x, weight, bias)


def _matmul(step: Step) -> Value:
    weight = step.constant(1)
    if weight.ndim == 3:
        return _member_dense(step, weight)
    if weight.ndim != 2:
        step.refuse(f"its second factor has the shape {weight.shape}, where a matrix is read")
    return _dense(step, step.value(), weight, None)


def _member_dense(step: Step, weight: np.ndarray) -> Value:
    """A matrix for each member of an ensemble: (member, batch, feature) -> (member, batch, unit)."""
    x = step.value(anywhere=True)
    if x.batch != 1 or len(x.axes) != 2 or x.shape != weight.shape[:2] or weight.size == 0:
        step.refuse(f"its second factor has the shape {weight.shape}, where a matrix is read")
    x = step.natural(x)
    params = {"weight": step.held(weight), "bias": np.zeros((weight.shape[0], weight.shape[2]), np.float32)}
    part, stored = step.emit(MemberDense(weight.shape[2]), [x], params, source=step.name_of(1))
    return Value(part, stored, (0, 1), batch=1)


def _dense(step: Step, x: Value, weight: np.ndarray, bias: np.ndarray | None) -> Value:
    """A dense layer along ONNX's last axis."""
    if not x.axes:
        step.refuse("its input has no features")
    x = step.with_last(x, len(x.axes) - 1)
    if x.shape[-1] != weight.shape[0] or weight.size == 0:
        step.refuse(f"its input has {x.shape[-1]} features, its weight the shape {weight.shape}; they do not fit")
    params = {"weight": step.held(weight[x.rows.positions()] if x.rows else weight)}
    if bias is not None:
        params["bias"] = step.held(bias)
    source = step.name_of(1)
    if "::" in source and bias is not None:  # PyTorch's exporter keeps the name of the bias alone
        source = step.name_of(2)
    part, stored = step.emit(Dense(weight.shape[1], bias is not None), [x], params, source=source)
    return Value(part, stored, x.axes)


def _batch_norm(step: Step) -> Value:
    if step.whole("training_mode", 0) or step.whole("spatial", 1) != 1:
        step.refuse(
            "it is written for training, or normalises every place by itself", "Export the network for inference."
        )
    x = step.value()
    if not x.axes:
        step.refuse("its input has no features")
    x = step.with_last(x, 0)
    features = x.shape[0]
    arrays = [step.constant(at) for at in (1, 2, 3, 4)]
    if any(each.shape != (features,) for each in arrays):
        step.refuse(f"its input has {features} channels, its numbers the shapes {[each.shape for each in arrays]}")
    scale, shift, mean, variance = (step.held(each[x.rows.positions()] if x.rows else each) for each in arrays)
    layer = BatchNorm(step.real("momentum", 0.9), step.real("epsilon", 1e-5))
    params, state = {"scale": scale, "shift": shift}, {"mean": mean, "variance": variance}
    source = next((name for at in (1, 2, 3, 4) if "::" not in (name := step.name_of(at))), "")
    return step.same(layer, x, params=params, state=state, source=source)


def _layer_norm(step: Step) -> Value:
    x = step.value()
    if step.axis(step.whole("axis", -1), x) != len(x.axes) - 1:
        step.refuse("it normalises over more than the last axis")
    step.whole("stash_type", 1)
    x = step.with_last(x, len(x.axes) - 1)
    features = x.shape[-1]
    arrays = [step.constant(1), step.constant(2) if step.has(2) else np.zeros(features, np.float32)]
    if any(each.shape != (features,) for each in arrays):
        step.refuse(f"its input has {features} features, its numbers the shapes {[each.shape for each in arrays]}")
    scale, shift = (step.held(each[x.rows.positions()] if x.rows else each) for each in arrays)
    layer = LayerNorm(step.real("epsilon", 1e-5))
    return step.same(layer, x, params={"scale": scale, "shift": shift}, source=step.name_of(1))


def _local_response_norm(step: Step) -> Value:
    size = step.whole("size", 1)
    if size % 2 == 0:
        step.refuse(f"its size is {size}; an odd number of channels is read")
    x = step.value()
    if not x.axes or size > 2 * x.shape[0] + 1:
        step.refuse(f"its size is {size}, more than there are channels")
    x = step.with_last(x, 0)
    if x.rows:
        x = step.natural(x)
    alpha, beta = step.real("alpha", 1e-4), step.real("beta", 0.75)
    return step.same(LocalResponseNorm(size, alpha / size, beta, step.real("bias", 1.0)), x)


OPERATIONS: dict[str, Operation] = {
    "BatchNormalization": _batch_norm,
    "Conv": _convolution,
    "Gemm": _gemm,
    "LayerNormalization": _layer_norm,
    "LRN": _local_response_norm,
    "MatMul": _matmul,
}
