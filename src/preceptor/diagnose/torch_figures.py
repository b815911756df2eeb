"""Figures of the layers of a PyTorch model, read by hooks: those of a probe, as `probe.py` defines them."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import torch

from preceptor import nn
from preceptor.diagnose.probe import FLAT
from preceptor.errors import ConfigError
from preceptor.nn import to_config
from preceptor.train import optim

__all__ = ["Gathering", "described_optimiser"]

CALLS = 8  # of a module in one forward pass that are told apart: a cell is called for each place of a text
FEWEST = 20  # rows by which columns of the inputs are judged
CHANNELS_FIRST = ("Conv", "BatchNorm", "InstanceNorm", "GroupNorm")  # in the name of a module: what it gives
CHANNELS_LAST = ("Linear", "Embedding", "LayerNorm", "RMSNorm", "LSTM", "GRU", "RNN", "Attention")


class Gathering:
    """Hooks in a model and its optimiser over a few steps. They read; no number of the training hangs on them.

    Args:
        steps: that were made since; `rows` of their batches.
    """

    def __init__(self, model: Any, optimizer: Any) -> None:
        self.model = model
        self.steps = self.rows = 0
        self.layers = dict(_layers(model))
        self._signals: dict[str, list[dict[str, Any]]] = {}
        self._parameters: dict[str, list[dict[str, Any]]] = {}
        self._columns: list[tuple[Any, ...]] = []
        self._calls: dict[str, int] = {}
        self._is_channels_first = False
        self._before: dict[str, tuple[Any, Any, Any]] = {}
        self._hooks = [model.register_forward_pre_hook(self._begin)]
        self._hooks += [each.register_forward_hook(self._reader(path)) for path, each in self.layers.items()]
        self._hooks += [optimizer.register_step_pre_hook(self._before_step)]
        self._hooks += [optimizer.register_step_post_hook(self._after_step)]

    def close(self) -> None:
        """Takes the hooks away."""
        for each in self._hooks:
            each.remove()

    def figures(self) -> dict[str, Any]:
        """What a record holds of signals and parameters, means over the steps: JSON types."""
        places = {path.partition(" (call ")[0]: place for place, path in reversed(list(enumerate(self._signals)))}
        order = sorted(self._parameters, key=lambda path: places.get(path.rpartition("/")[0], -1))
        return {
            "rows": self.rows,
            "signals": {path: _means(each) for path, each in self._signals.items()},
            "parameters": {path: _means(self._parameters[path]) for path in order},
        }

    def facts(self) -> dict[str, Any]:
        """What is known beside records: layers, rows of a batch, columns of the inputs. JSON types."""
        called = {path: self.layers[path.partition(" (call ")[0]] for path in self._signals}
        found: dict[str, Any] = {"layers": {path: _described(module) for path, module in called.items()}}
        if self.rows:
            found["batch_size"] = max(1, self.rows // max(self.steps, 1))
        if self.rows >= FEWEST and self._columns:
            means, variances, whole = (_stacked([each[at] for each in self._columns]) for at in range(3))
            mean, variance = means.mean(0), variances.mean(0) + means.var(0, unbiased=False)
            found["inputs"] = {"mean": mean.tolist(), "sd": variance.sqrt().tolist(), "rows": self.rows}
            found["inputs"] |= {"size": float((mean * mean + variance).mean().sqrt()), "is_whole": bool(whole.all())}
        return found

    def _is_read(self) -> bool:
        """Whether a forward pass is one of the training."""
        return self.model.training and torch.is_grad_enabled()

    def _begin(self, model: Any, given: tuple[Any, ...]) -> None:
        """Before a forward pass."""
        if not self._is_read():
            return
        self._calls = {}
        x = given[0] if given else None
        if not isinstance(x, torch.Tensor) or not x.ndim:
            return
        self.rows += x.shape[0]
        if x.is_floating_point() and x.ndim > 1 and x.numel():
            with torch.no_grad():
                z = _wide(x)
                axes = [0, *range(2, z.ndim)] if z.ndim > 3 else list(range(z.ndim - 1))  # of pictures, channels
                is_whole = ((z >= 0) & (z == z.round())).all()
                found = z.mean(axes), z.var(axes, unbiased=False), is_whole
            if not self._columns or self._columns[0][0].shape == found[0].shape:
                self._columns.append(found)

    def _reader(self, path: str) -> Any:
        """A hook that reads what a layer gives, and the slopes by it."""

        def read(module: Any, given: tuple[Any, ...], output: Any) -> None:
            y = output[0] if isinstance(output, (tuple, list)) and output else output
            if not self._is_read() or not isinstance(y, torch.Tensor) or not y.is_floating_point():
                return
            if not y.ndim or not y.numel():
                return
            self._calls[path] = call = self._calls.get(path, 0) + 1
            if call > CALLS:
                return
            kind = type(module).__name__
            if any(word in kind for word in (*CHANNELS_FIRST, *CHANNELS_LAST)):
                self._is_channels_first = any(word in kind for word in CHANNELS_FIRST)
            with torch.no_grad():
                found = _signal(_wide(y), module, 1 if self._is_channels_first and y.ndim > 2 else -1)
            self._signals.setdefault(path if call == 1 else f"{path} (call {call})", []).append(found)
            if y.requires_grad:
                rows = y.shape[0]

                def slope(gradient: Any) -> None:
                    with torch.no_grad():
                        g = _wide(gradient) * rows
                        found["gradient"] = (g * g).mean()

                y.register_hook(slope)

        return read

    def _before_step(self, optimizer: Any, *_: Any) -> None:
        self._calls = {}
        with torch.no_grad():
            for layer, module in self.layers.items():
                for name, p in module.named_parameters(recurse=False):
                    if p.requires_grad and p.is_floating_point() and p.numel():
                        g = p.grad
                        kept = None if g is None else g.to_dense() if g.is_sparse else g.clone()
                        self._before[f"{layer}/{name}"] = p, p.detach().clone(), kept

    def _after_step(self, optimizer: Any, *_: Any) -> None:
        with torch.no_grad():
            for path, (p, before, gradient) in self._before.items():
                axis = _unit_axis(self.layers[path.rpartition("/")[0]])
                found = _parameter(_wide(before), None if gradient is None else _wide(gradient), _wide(p), axis)
                self._parameters.setdefault(path, []).append(found)
        self._before = {}


def _layers(model: Any) -> Iterator[tuple[str, Any]]:
    """The modules that hold no others, or parameters of their own, by their paths; with their class where that is but a
    number."""
    for path, module in model.named_modules():
        is_leaf = next(module.children(), None) is None
        if is_leaf or next(module.parameters(recurse=False), None) is not None:
            kind, last = type(module).__name__, path.rpartition(".")[2]
            yield f"{path} ({kind})".strip() if last.isdigit() or not path else path, module


def _wide(y: Any) -> Any:
    """The numbers in which figures are reckoned: half ones would overflow when squared."""
    y = y.detach()
    return y if y.dtype in (torch.float32, torch.float64) else y.float()


def _stacked(each: list[Any]) -> Any:
    """Figures of several steps, on the host, in float64, which not every accelerator has."""
    return torch.stack(each).cpu().double()


def _signal(y: Any, module: Any, unit_axis: int) -> dict[str, Any]:
    """Mean squares of what a layer gives, and the flat units of an activation. Shapes: y (row, ...)."""
    apart = y - y.mean(0, keepdim=True)
    found = {
        "mean": y.mean(),
        "size": (y * y).mean(),
        "spread": (apart * apart).mean(),
        "zeros": (y == 0).to(y.dtype).mean(),
    }
    slope = None
    if isinstance(module, torch.nn.ReLU):
        slope = (y > 0).to(y.dtype)
    elif isinstance(module, torch.nn.Sigmoid):
        slope = 4 * y * (1 - y)
    elif isinstance(module, torch.nn.Tanh):
        slope = 1 - y * y
    if slope is not None:
        units = slope.movedim(unit_axis, -1) if y.ndim > 1 else slope[:, None]
        units = units.reshape(-1, units.shape[-1])
        found |= {"flat": (units < FLAT).to(y.dtype).mean(0), "still": (units == 0).to(y.dtype).mean(0)}
    return found


def _parameter(before: Any, gradient: Any, after: Any, unit_axis: int) -> dict[str, Any]:
    """Mean squares of an array, its gradient (None where none came) and its change, as `diagnose.probe.Parameter` has
    their roots."""
    change = after - before
    found: dict[str, Any] = {"size": (before * before).mean(), "gradient": None, "update": (change * change).mean()}
    if gradient is not None:
        found |= {"gradient": (gradient * gradient).mean(), "descent": -(gradient * change).mean()}
    found["units"] = before.shape[unit_axis] if before.ndim else 1
    for name, each in (("apart", before), ("gradient_apart", gradient)):
        found[name] = None
        if before.ndim > 1 and each is not None:
            distance = each - each.mean(unit_axis, keepdim=True)
            found[name] = (distance * distance).mean()
    return found


def _unit_axis(module: Any) -> int:
    """The axis of a module's matrices that counts what it gives."""
    if isinstance(module, (torch.nn.Embedding, torch.nn.EmbeddingBag)):
        return -1
    return 1 if "ConvTranspose" in type(module).__name__ else 0


def _means(each: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over steps of figures of one array, and roots of those that are mean squares: numbers and lists."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in each for name in one):
        values = [one[name] for one in each if one.get(name) is not None]
        if name == "units" or not values:
            found[name] = values[0] if values else None
            continue
        mean = _stacked(values).mean(0)
        found[name] = (mean if name in ("mean", "zeros", "flat", "still", "descent") else mean.sqrt()).tolist()
    if "descent" in found:
        length = found["gradient"] * found["update"]
        found["descent"] = found["descent"] / length if length > 0 else 0.0
    return found


def _described(module: Any) -> Any:
    """A module as a layer of `preceptor.nn`, as `to_config` writes it; the name of its class where there is none."""
    try:
        layer = _layer(module)
    except ConfigError:  # a number that ours does not allow
        layer = None
    return type(module).__name__ if layer is None else to_config(layer)


PLAIN: dict[str, Callable[[], nn.Layer]] = {
    "ReLU": nn.Relu,
    "SELU": nn.Selu,
    "GELU": nn.Gelu,
    "SiLU": nn.Swish,
    "Softplus": nn.Softplus,
    "Softsign": nn.Softsign,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "Softmax": nn.Softmax,
    "Identity": nn.Linear,
    "LayerNorm": nn.LayerNorm,
}


def _layer(module: Any) -> nn.Layer | None:
    kind = type(module).__name__
    if kind in PLAIN:
        return PLAIN[kind]()
    if kind == "LeakyReLU":
        return nn.LeakyRelu(module.negative_slope)
    if kind == "ELU":
        return nn.Elu(module.alpha)
    if kind.startswith("Dropout"):
        return nn.Dropout(module.p)
    if kind == "Linear":
        return nn.Dense(module.out_features)
    if kind == "Embedding":
        return nn.Embedding(module.num_embeddings, module.embedding_dim)
    if kind in ("Conv1d", "Conv2d", "Conv3d"):
        return nn.Convolution(module.out_channels, tuple(module.kernel_size))
    if kind in ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d") and module.momentum is not None:
        return nn.BatchNorm(1 - module.momentum, module.eps) if module.track_running_stats else None
    return None


def described_optimiser(optimizer: Any) -> Any:
    """An optimiser as one of `preceptor.train`: its class' name and its numbers; the name alone where there is none."""
    group, kind = optimizer.param_groups[0], type(optimizer).__name__
    names = {"RMSprop": "RMSProp", "NAdam": "Nadam"}
    name = names.get(kind, kind)
    if kind == "SGD" and group["momentum"]:
        name = "Nesterov" if group["nesterov"] else "Momentum"
    if name not in optim.__all__:
        return kind
    own = {"momentum": group.get("momentum"), "epsilon": group.get("eps"), "decay": group.get("alpha")}
    own |= dict(zip(("beta1", "beta2"), group.get("betas", ()), strict=False))
    taken = {each.name for each in fields(getattr(optim, name))}
    given = {key: float(value) for key, value in own.items() if key in taken and value is not None}
    try:
        getattr(optim, name)(**given)
    except ConfigError:
        return name
    return {"class": name} | given
