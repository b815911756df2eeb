"""An ONNX graph that is being put together: values by name, operators between them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import Any, Literal, overload

import numpy as np

from preceptor.errors import ConfigError

INSTALL = "python -m pip install -e '.[onnx]'"
ROWS = "rows"  # the axis of examples, of any length
ML = "ai.onnx.ml"  # operators for tables and for classes beside those of networks
CONTRIB = "com.microsoft"  # operators that onnxruntime alone has, which the package onnx does not know
OLDEST = 20  # the first with Gelu and with text in StringConcat; what is older has other forms of many operators
MOST_BYTES = 2**31 - 2**20  # of a file: Protocol Buffers counts to 2^31; 1 MiB is left for names and operators


def load_onnx() -> Any:
    """The package onnx. Raises: ConfigError where it, or onnxruntime, is not installed."""
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"onnx: {error}; onnx and onnxruntime are required. Install them: {INSTALL}") from None
    return onnx


@cache
def newest_opset() -> int:
    """The newest opset that both onnx and onnxruntime know."""
    onnx = load_onnx()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it refuses is no news here
    for opset in range(onnx.defs.onnx_opset_version(), OLDEST, -1):
        builder = Builder.__new__(Builder)  # without the check that asks this function
        builder._begin(onnx, opset)
        builder.output(builder.node("Relu", builder.input("x", np.float32, (1,))), "y", np.float32, (1,))
        content = builder.finish({}).SerializeToString()
        try:
            onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception:  # its errors are classes of a binary module, one for each cause
            continue
        return opset
    return OLDEST


class Builder:
    """Gathers the operators, constants, inputs and outputs of one ONNX graph.

    A value is known by its name. Names are told apart by themselves; within `at(path)` they begin with the path, so
    that a viewer shows which layer an operator is of.

    Args:
        opset: version of the operators, from 20 to `newest_opset()`.
    Raises: ConfigError for another opset, and where onnx or onnxruntime is not installed.
    """

    def __init__(self, opset: int = OLDEST) -> None:
        onnx, newest = load_onnx(), newest_opset()
        if not OLDEST <= opset <= newest:
            raise ConfigError(
                f"opset: received {opset}; {OLDEST} to {newest} is required: the newest that the installed onnx and "
                "onnxruntime know. Leave it out for the one that most others read."
            )
        self._begin(onnx, opset)

    def _begin(self, onnx: Any, opset: int) -> None:
        self._onnx, self.opset = onnx, opset
        forms = [row for row in onnx.helper.VERSION_TABLE if row[2] == opset]
        self._ir_version: int = min(row[1] for row in forms)  # the oldest form of file that has this opset
        self._versions = {"": opset, ML: min(row[3] for row in forms), CONTRIB: 1}
        self._used = {""}
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[tuple[str, Any]] = []
        self._told: list[Any] = []
        self._constants: dict[str, np.ndarray] = {}
        self._known: dict[Any, str] = {}
        self._names: dict[str, int] = {}
        self._path = ""

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Names made in this block begin with `name/`, behind those of blocks around it."""
        before = self._path
        self._path = f"{before}{name}/"
        try:
            yield
        finally:
            self._path = before

    def fresh(self, hint: str) -> str:
        """A name that no value has: the path and the hint, with a number where they are taken."""
        name = wanted = f"{self._path}{hint}"
        while name in self._names:
            self._names[wanted] += 1
            name = f"{wanted}_{self._names[wanted]}"
        self._names[name] = 1
        return name

    def has(self, op: str, domain: str = "") -> bool:
        """Whether this opset has an operator; what onnxruntime alone has is taken for granted."""
        return domain == CONTRIB or bool(self._onnx.defs.has(op, self._versions[domain], domain))

    @overload
    def node(self, op: str, *inputs: str, outputs: Literal[1] = 1, domain: str = "", **attributes: Any) -> str: ...

    @overload
    def node(self, op: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> tuple[str, ...]: ...

    def node(self, op: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Adds an operator.

        Args:
            inputs: names of values; "" for one that is left out.
            outputs: how many it has.
            domain: "", `ML` or `CONTRIB`.
            attributes: by name; of None it takes its own default. Arrays become tensors.
        Returns: the name of its output; a tuple of them where there are several.
        Raises: ConfigError where it needs a newer opset.
        """
        if not self.has(op, domain):
            raise self._too_old(op, domain)
        self._used.add(domain)
        made = [self.fresh(op.lower()) for _ in range(outputs)]
        given = {
            name: self._onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
            for name, value in attributes.items()
            if value is not None
        }
        self._nodes.append(self._onnx.helper.make_node(op, inputs, made, made[0], domain=domain or None, **given))
        return made[0] if outputs == 1 else tuple(made)

    def _too_old(self, op: str, domain: str) -> ConfigError:
        schemas = self._onnx.defs.get_all_schemas_with_history()
        since = [each.since_version for each in schemas if (each.name, each.domain) == (op, domain)]
        assert since, f"there is no operator {op} in {domain or 'ai.onnx'}"
        return ConfigError(
            f"opset: received {self.opset}; {op} needs version {min(since)} of {domain or 'ai.onnx'}. Give a newer one."
        )

    def constant(self, array: Any, hint: str = "constant") -> str:
        """The name of a constant; equal ones are held once. Texts are arrays of str."""
        value = np.asarray(array)
        if value.dtype.kind in "UO":
            value = value.astype(object)
            key: Any = (value.shape, *value.ravel().tolist())
        else:
            value = np.ascontiguousarray(value).reshape(value.shape)  # of no axis it would make one
            key = (value.dtype.str, value.shape, sha256(value.reshape(-1).view(np.uint8)).digest())
        if key not in self._known:
            name = self._known[key] = self.fresh(hint)
            self._constants[name] = value
        return self._known[key]

    def integers(self, *values: int) -> str:
        """The name of a constant of whole numbers, as axes and shapes are given. Shapes: (number,), int64."""
        return self.constant(np.array(values, np.int64), "integers")

    def element(self, dtype: Any) -> int:
        """The number by which ONNX knows an element type; `str` is that of texts."""
        if dtype is str:
            return int(self._onnx.TensorProto.STRING)
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def input(self, name: str, dtype: Any, shape: Sequence[int] = ()) -> str:
        """Declares an input of any number of rows. Args: dtype: `str` for texts; shape: of one row. Returns: its name,
        which is as given: the path is not for what others call it by."""
        assert name not in self._names, f"{name} is taken"
        self._names[name] = 1
        self._inputs.append(self._value(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: Any, shape: Sequence[int] = ()) -> None:
        """Declares a value an output under a name of its own; the rest as of `input`."""
        assert name not in self._names, f"{name} is taken"
        self._names[name] = 1
        self._outputs.append((value, self._value(name, dtype, shape)))

    def told(self, value: str, dtype: Any, axes: int) -> str:
        """Says what a value is, where the package onnx cannot know: what an operator of `CONTRIB` gives."""
        self._told.append(self._onnx.helper.make_tensor_value_info(value, self.element(dtype), [None] * axes))
        return value

    def _value(self, name: str, dtype: Any, shape: Sequence[int]) -> Any:
        return self._onnx.helper.make_tensor_value_info(name, self.element(dtype), [ROWS, *map(int, shape)])

    def finish(self, metadata: Mapping[str, str], name: str = "preceptor") -> Any:
        """The model, checked.

        Args:
            metadata: what it says of itself, by key.
            name: of the graph.
        Raises: ConfigError where it is too large for one file.
        """
        onnx = self._onnx
        nodes, outputs = self._named()
        read = {each for node in nodes for each in node.input}
        kept = {name: value for name, value in self._constants.items() if name in read}
        size = sum(value.nbytes for value in kept.values())
        if size > MOST_BYTES:
            raise ConfigError(
                f"onnx: the network has {size / 2**30:,.1f} GiB of weights; an ONNX file holds less than 2. "
                "Export it with --format safetensors."
            )
        tensors = [onnx.numpy_helper.from_array(value, name) for name, value in kept.items()]
        graph = onnx.helper.make_graph(nodes, name, self._inputs, outputs, tensors, value_info=self._told)
        model = onnx.helper.make_model(
            graph,
            ir_version=self._ir_version,
            opset_imports=[onnx.helper.make_opsetid(domain, self._versions[domain]) for domain in sorted(self._used)],
            producer_name="preceptor",
        )
        onnx.helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model

    def _named(self) -> tuple[list[Any], list[Any]]:
        """The operators and the outputs, under the names that were given to these."""
        made = {each for node in self._nodes for each in node.output}
        renamed: dict[str, str] = {}
        nodes, outputs = list(self._nodes), []
        for value, info in self._outputs:
            if value in made and value not in renamed:
                renamed[value] = info.name
            else:  # an input, a constant, or what is an output already
                source = renamed.get(value, value)
                nodes.append(self._onnx.helper.make_node("Identity", [source], [info.name], info.name))
            outputs.append(info)
        copies = []
        for node in nodes:
            copy = type(node)()
            copy.CopyFrom(node)
            copy.input[:] = [renamed.get(each, each) for each in node.input]
            copy.output[:] = [renamed.get(each, each) for each in node.output]
            copies.append(copy)
        return copies, outputs
