"""A case of the doctor's bench as a training in PyTorch, module by module: the same first weights, batches and rates.

It is the same run up to the rounding of float32, and to what only the library has: masks of dropout are drawn by
PyTorch's own generator, equal largest values of a pool share their gradient otherwise, Adamax adds its epsilon
elsewhere, and an L1 penalty is added to the loss, as one does in PyTorch, in the place of a soft threshold. What is not
finite is handed on: PyTorch refuses no inputs.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import zoo_faults
from preceptor import nn as ours
from preceptor.data import order
from preceptor.diagnose.case import Case
from preceptor.train import Arrays, optim, schedule
from preceptor.train.counts import counts
from preceptor.train.stepper import learning_rates
from preceptor.train.training import initial_values
from zoo_data import Refused


class Exponential(nn.Module):
    """e^x."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(x)


ACTIVATIONS: dict[type, Callable[[ours.Layer], nn.Module]] = {
    ours.Relu: lambda _: nn.ReLU(),
    ours.Tanh: lambda _: nn.Tanh(),
    ours.Sigmoid: lambda _: nn.Sigmoid(),
    ours.Exponential: lambda _: Exponential(),
    ours.HardSigmoid: lambda _: nn.Hardsigmoid(),
    ours.Elu: lambda layer: nn.ELU(layer.alpha),
    ours.Selu: lambda _: nn.SELU(),
    ours.Softplus: lambda _: nn.Softplus(),
    ours.Softsign: lambda _: nn.Softsign(),
    ours.LeakyRelu: lambda layer: nn.LeakyReLU(layer.slope),
}
MUCH = 1e9  # of momentum_decay: PyTorch's Nadam then keeps its first moment's share, as ours does


@dataclass(eq=False)
class Training:
    """A training in PyTorch.

    Args:
        criterion: one loss for each row, of outputs and targets.
        x, y: all rows that teach; pictures as (row, channel, height, width).
        weight: what each row counts, (row,); None for 1 each.
        test: rows that nobody trains on, as x and y.
    """

    model: nn.Sequential
    optimiser: torch.optim.Optimizer
    criterion: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    x: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor | None
    case: Case
    batch: int
    steps: int

    def rows(self, step: int) -> torch.Tensor:
        """The numbers of the rows of a step, (batch,)."""
        found = order(self.case.config.seed, step * self.batch, self.batch, len(self.x))
        return torch.from_numpy(found.astype(np.int64))

    def forward(self, step: int) -> torch.Tensor:
        """The mean loss of the batch of a step, with penalties; sets the step's rate."""
        config, rows = self.case.config, self.rows(step)
        self.optimiser.param_groups[0]["lr"] = self.rate(step)
        losses = self.criterion(self.model(self.x[rows]), self.y[rows])
        loss = (losses if self.weight is None else losses * self.weight[rows]).mean()
        for penalty in config.penalties:
            reached = [p for name, p in self.model.named_parameters() if penalty.reaches(name.replace(".", "/"))]
            is_l1 = type(penalty).__name__ == "L1"
            loss = loss + penalty.weight * sum(p.abs().sum() if is_l1 else 0.5 * (p * p).sum() for p in reached)
        return loss

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return float(learning_rates(self.case.config, step, 1, len(self.x), self.batch, self.steps)[0])

    def backward(self, step: int) -> float:
        """Gradients of a step, clipped. -> its loss."""
        self.optimiser.zero_grad()
        loss = self.forward(step)
        loss.backward()
        update = self.case.config.update
        if update.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), update.clip_norm)
        if update.clip_value is not None:
            nn.utils.clip_grad_value_(self.model.parameters(), update.clip_value)
        return loss.item()

    def update(self) -> None:
        """Moves the weights by the gradients."""
        self.optimiser.step()


def translated(case: Case) -> Training:
    """The training of a case. Raises: Refused for a part that has no like in PyTorch or none written here."""
    config, data = case.config, case.data
    if not isinstance(data, Arrays) or data.folds is not None or not isinstance(config.network, ours.Sequential):
        raise Refused("only a network of layers in a row, on arrays without folds, is written for PyTorch")
    if config.update.accumulate > 1 or config.update.average is not None:
        raise Refused("gradients in pieces and averaged weights are not written for PyTorch")
    if isinstance(config.schedule, schedule.Plateau):
        raise Refused("a rate that drops on plateaus is not written for PyTorch")
    torch.manual_seed(config.seed)
    params, state = initial_values(config, data)
    model = _network(config.network, params | state, data.x.shape[1:])
    x = pictures(data.x)
    with torch.no_grad():
        units = model.eval()(x[:1]).shape[-1]
    model.train()
    y, weight = prepared(config.loss, data.y, units), counts(data.y, data.weight, config.class_weights)
    batch = min(config.batch_size, len(x))
    return Training(
        model,
        _optimiser(config.optimiser, [p for p in model.parameters() if p.requires_grad], config.learning_rate),
        criterion_of(config.loss),
        x,
        torch.from_numpy(y),
        None if weight is None else torch.from_numpy(weight.astype(np.float32)),
        case,
        batch,
        math.ceil(config.epochs * len(x) / batch),
    )


def pictures(x: np.ndarray) -> torch.Tensor:
    """Rows as PyTorch takes them: pictures with their channels first."""
    found = torch.from_numpy(np.ascontiguousarray(x, np.float32))
    return found.permute(0, 3, 1, 2).contiguous() if found.ndim == 4 else found


def prepared(loss: ours.Loss, y: np.ndarray, units: int) -> np.ndarray:
    """Targets as the loss takes them: labels as int64, numbers as float32."""
    found = loss.prepared(y, units, np.float32)
    return found.astype(np.int64) if found.dtype.kind in "iu" else found


# --- the network ---


def _network(network: ours.Sequential, values: dict[str, np.ndarray], shape: tuple[int, ...]) -> nn.Sequential:
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    flattened: tuple[int, ...] | None = None  # the places and channels that a row of features was laid out from
    for name, layer in zip(network.names, network.layers, strict=True):
        own = {key.removeprefix(f"{name}/"): value for key, value in values.items() if key.startswith(f"{name}/")}
        if type(layer) in (ours.Dense, zoo_faults.FrozenDense):
            weight = own["weight"]
            if flattened is not None:
                weight = weight.reshape(*flattened, -1).transpose(2, 0, 1, 3).reshape(len(weight), -1)
                flattened = None
            made: nn.Module = nn.Linear(*weight.shape, bias="bias" in own)
            _fill(made, weight=weight.T, **({"bias": own["bias"]} if "bias" in own else {}))
            shape = (weight.shape[1],)
        elif type(layer) in (ours.Convolution, zoo_faults.FrozenConvolution):
            made, before, shape = _convolution(layer, own, shape)
            if before is not None:
                modules[f"{name}_pad"] = before
        elif isinstance(layer, ours.MaxPool):
            if layer.padding != "valid":
                raise Refused(f"pooling with the padding {layer.padding!r} is not written for PyTorch")
            made, stride = nn.MaxPool2d(layer.window, layer.stride), layer.stride or layer.window
            shape = (*((length - layer.window) // stride + 1 for length in shape[:2]), shape[2])
        elif isinstance(layer, ours.Flatten):
            made = nn.Flatten()
            flattened = shape if len(shape) == 3 else None
            shape = (math.prod(shape),)
        elif isinstance(layer, ours.Dropout) and layer.inverted:
            made = nn.Dropout(layer.drop_rate)
        elif isinstance(layer, ours.BatchNorm):
            kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            made = kind(shape[-1], layer.epsilon, 1 - layer.decay)
        elif type(layer) is ours.Softmax:
            made = nn.Softmax(1)  # over the channels of pictures, which stand first
        elif type(layer) in ACTIVATIONS:
            made = ACTIVATIONS[type(layer)](layer)
        else:
            raise Refused(f"the layer {type(layer).__name__} is not written for PyTorch")
        if isinstance(layer, zoo_faults.FrozenDense | zoo_faults.FrozenConvolution):
            made.requires_grad_(False)
        modules[name] = made
    return nn.Sequential(modules)


def _convolution(
    layer: ours.Convolution, own: dict[str, np.ndarray], shape: tuple[int, ...]
) -> tuple[nn.Module, nn.Module | None, tuple[int, ...]]:
    """The module, one that pads before it where both sides differ, and the shape of its outputs."""
    window, stride = layer.window, layer.stride
    if len(shape) != 3 or not isinstance(window, int) or not isinstance(stride, int):
        raise Refused("only square windows on pictures are written for PyTorch")
    if layer.dilation != 1 or layer.groups != 1 or layer.padding not in ("same", "valid"):
        raise Refused("convolutions with gaps, groups or other padding are not written for PyTorch")
    sides = []
    for length in shape[:2]:
        total = max((-(-length // stride) - 1) * stride + window - length, 0) if layer.padding == "same" else 0
        sides.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = sides
    even = top == bottom and left == right
    made = nn.Conv2d(shape[2], layer.filters, window, stride, padding=(top, left) if even else 0, bias="bias" in own)
    _fill(made, weight=own["weight"].transpose(3, 2, 0, 1), **({"bias": own["bias"]} if "bias" in own else {}))
    places = [(length + sum(side) - window) // stride + 1 for length, side in zip(shape, sides, strict=False)]
    return made, None if even else nn.ZeroPad2d((left, right, top, bottom)), (*places, layer.filters)


@torch.no_grad()
def _fill(module: nn.Module, **values: np.ndarray) -> None:
    for name, value in values.items():
        getattr(module, name).copy_(torch.from_numpy(np.ascontiguousarray(value, np.float32)))


# --- the optimiser ---


def _optimiser(given: optim.Optimiser, params: list[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    match given:
        case zoo_faults.UphillSGD():
            return torch.optim.SGD(params, rate, maximize=True)
        case optim.SGD():
            return torch.optim.SGD(params, rate)
        case optim.Momentum():
            return torch.optim.SGD(params, rate, momentum=given.momentum)
        case optim.Nesterov():
            return torch.optim.SGD(params, rate, momentum=given.momentum, nesterov=True)
        case optim.Adam() if given.bias_correction == 1:
            uphill = isinstance(given, zoo_faults.UphillAdam)
            return torch.optim.Adam(params, rate, (given.beta1, given.beta2), given.epsilon, maximize=uphill)
        case optim.RMSProp():
            return torch.optim.RMSprop(params, rate, given.decay, given.epsilon)
        case optim.Adagrad():
            return torch.optim.Adagrad(params, rate, eps=given.epsilon)
        case optim.Adadelta():
            return torch.optim.Adadelta(params, rate, given.decay, given.epsilon)
        case optim.Adamax():
            return torch.optim.Adamax(params, rate, (given.beta1, given.beta2), given.epsilon)
        case optim.Nadam():
            return torch.optim.NAdam(params, rate, (given.beta1, given.beta2), given.epsilon, momentum_decay=MUCH)
    raise Refused(f"the optimiser {type(given).__name__} is not written for PyTorch")


# --- the loss: one number for each row ---


def _shares(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """What each unit should give. Shapes: -> (row, unit)."""
    if y.dtype == torch.int64 and outputs.shape[-1] > 1:
        return functional.one_hot(y, outputs.shape[-1]).to(outputs.dtype)
    y = y[:, 1:] if outputs.shape[-1] == 1 and y.ndim == 2 and y.shape[1] == 2 else y
    return y.reshape(len(y), -1).to(outputs.dtype)


def _yes(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The same, where -1 means 0."""
    return _shares(outputs, y).clamp(min=0)


def criterion_of(loss: ours.Loss) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """One loss for each row, of outputs and targets. Raises: Refused."""
    match loss:
        case zoo_faults.Times():
            inner = criterion_of(loss.loss)
            return lambda z, y: loss.factor * inner(z, y)
        case zoo_faults.LogOfOutputs():
            return lambda z, y: _log_of_outputs(loss, z, y)
        case zoo_faults.LogOfNumber():
            return lambda z, y: -(_shares(z, y) * z.clamp(loss.clip, 1).log()).sum(1)
        case zoo_faults.LogOfBoth():
            return lambda z, y: -(_yes(z, y) * z.log() + (1 - _yes(z, y)) * (1 - z).log()).mean(1)
        case zoo_faults.BatchSoftmax():
            return lambda z, y: -(_shares(z, y) * z.log_softmax(0)).sum(1)
        case zoo_faults.Broadcast():
            return lambda z, y: ((z - y.reshape(1, -1)) ** 2).mean(1)
        case ours.Quadratic():
            return lambda z, y: 0.5 * ((z - _shares(z, y)) ** 2).sum(1)
        case ours.Absolute():
            return lambda z, y: (z - _shares(z, y)).abs().sum(1)
        case ours.SoftmaxCrossEntropy() if not loss.label_smoothing:
            return lambda z, y: functional.cross_entropy(z, y, reduction="none")
        case ours.BinaryCrossEntropy():
            return lambda z, y: functional.binary_cross_entropy_with_logits(z, _yes(z, y), reduction="none").sum(1)
        case ours.MulticlassHinge():
            return lambda z, y: functional.multi_margin_loss(z, y, reduction="none") * z.shape[-1]
        case ours.Brier():
            return _brier
        case ours.ProbabilityCrossEntropy():
            return lambda p, y: (
                -(_shares(p, y) * (p / p.sum(1, keepdim=True)).clamp(loss.clip, 1 - loss.clip).log()).sum(1)
            )
        case ours.ProbabilityBinaryCrossEntropy():
            return lambda p, y: _binary(p.clamp(loss.clip, 1 - loss.clip), _yes(p, y))
        case ours.ProbabilityDistance():
            return lambda p, y: ((p - _yes(p, y)).abs() ** loss.power).mean(1)
    raise Refused(f"the loss {type(loss).__name__} is not written for PyTorch")


def _binary(p: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return -(right * p.log() + (1 - right) * (1 - p).log()).mean(1)


def _brier(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    p = z.sigmoid() if z.shape[-1] == 1 else z.softmax(-1)
    right = _yes(z, y) if z.shape[-1] == 1 else _shares(z, y)
    return 0.5 * ((p - right) ** 2 + right * (1 - right)).sum(1)


def _log_of_outputs(loss: zoo_faults.LogOfOutputs, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    p = z.clamp(max(loss.clip, zoo_faults.SMALLEST), 1)
    p = p / p.sum(1, keepdim=True) if loss.divided else p
    return -(_shares(z, y) * p.log()).sum(1)
