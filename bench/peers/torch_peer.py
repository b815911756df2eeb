"""PyTorch: eager with the fused Adam, or the loss compiled by torch.compile; pictures and kernels channels last."""

import os
import shutil

import torch
from torch import nn

from workloads import BETA1, BETA2, EPSILON, LEARNING_RATE, Task, Unavailable

ACTIVATIONS = {"relu": nn.ReLU}


def build(task: Task, variant: str):
    """Builds variant "torch" (eager), "torch-bf16" (eager, bfloat16 autocast) or "torch-compile"."""
    if variant == "torch-compile":
        require_compiler()
    torch.manual_seed(0)
    workload = task.workload
    x, y = (torch.from_numpy(array) for array in task.data)
    model = network(task)
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE, (BETA1, BETA2), EPSILON, fused=True)

    def loss_of(x, y):
        return nn.functional.cross_entropy(model(x), y)

    if variant == "torch-bf16" or task.precision == "bf16":

        def loss_of(x, y):
            with torch.autocast("cpu", torch.bfloat16):
                return nn.functional.cross_entropy(model(x), y)

    step_loss = torch.compile(loss_of) if variant == "torch-compile" else loss_of

    def train(epochs):
        for _ in range(epochs):
            for rows in torch.randperm(workload.rows).split(workload.batch):
                optimiser.zero_grad(set_to_none=True)
                step_loss(viewed(x[rows]), y[rows]).backward()
                optimiser.step()

    @torch.no_grad()
    def loss():
        model.eval()
        found = loss_of(viewed(x), y).item()
        model.train()
        return found

    return train, loss


def build_prediction(task: Task, variant: str):
    """Builds `predict`, as project.py does: eager, compiled, or with norms folded into the convolutions before them."""
    if variant == "torch-compile":
        require_compiler()
    if task.precision == "bf16":
        raise Unavailable("predictions are measured in f32")
    x = torch.from_numpy(task.data[0])
    model = network(task).eval()
    if variant == "torch-compile":
        model = torch.compile(model)
    if variant == "torch-folded":
        from torch.fx.experimental.optimization import fuse  # warns of what is deprecated in it

        model = fuse(model).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def predict(count):
        parts = x[:count].split(task.workload.batch)
        return torch.cat([model(viewed(each)) for each in parts]).numpy()

    return predict


def viewed(x: torch.Tensor) -> torch.Tensor:
    """Pictures as PyTorch names their axes, in memory the channels stay last; a signal is a picture of one row, which
    PyTorch computes faster."""
    if x.ndim == 3:
        x = x[:, None]
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


def require_compiler() -> None:
    """Refuses where torch.compile would find no C++ compiler."""
    if not shutil.which(os.environ.get("CXX", "g++")):
        raise Unavailable("torch.compile needs a C++ compiler, and there is none (g++, or what CXX names)")


class Residual(nn.Module):
    """Adds what it is given, or a projection of it, to what a block makes of it."""

    def __init__(self, block: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.block, self.projection = block, projection

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.projection(x) + self.block(x)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the second axis, which lies last in memory."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def network(task: Task) -> nn.Sequential:
    """The network that all share, with the values that all share."""
    modules, outside, block, layers = [], [], None, task.workload.layers
    for number, (layer, own) in enumerate(zip(layers, task.initial, strict=True)):
        values = {name: torch.from_numpy(value) for name, value in own.items()}
        if number and layers[number - 1]["kind"] == "flatten":
            values["weight"] = _reordered(values["weight"], task.shapes[number - 1])
        if layer["kind"] == "branch":
            modules, outside = [], modules
        elif layer["kind"] == "beside":
            block, modules = modules, []
        elif layer["kind"] == "add":
            parts = (modules, []) if block is None else (block, modules)
            modules, outside, block = [*outside, Residual(*(nn.Sequential(*each) for each in parts))], [], None
        else:
            modules += _modules(layer, values, task.shapes[number])
    return nn.Sequential(*modules).to(memory_format=torch.channels_last)


def _reordered(weight: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Brings a weight (feature, unit) from features in the order (height, width, channel) to PyTorch's own order."""
    return weight.reshape(*shape, -1).permute(2, 0, 1, 3).flatten(0, 2)


@torch.no_grad()
def _modules(layer: dict, own: dict[str, torch.Tensor], shape: tuple[int, ...]) -> list[nn.Module]:
    """The modules of one layer whose input has this shape, channels last, without the batch axis."""
    match layer["kind"]:
        case "dense":
            module = nn.Linear(*own["weight"].shape)
            module.weight.copy_(own["weight"].T)
            module.bias.copy_(own["bias"])
            return [module, ACTIVATIONS[layer["activation"]]()] if layer["activation"] else [module]
        case "convolution":
            before, after = layer["padding"]
            padding = before if before == after else 0
            weight, window, stride = own["weight"], (layer["window"],) * 2, (layer["stride"],) * 2
            if len(shape) == 2:
                weight, window, stride, padding = weight[None], (1, *window[1:]), (1, *stride[1:]), (0, padding)
            more = {"stride": stride, "groups": layer["groups"], "bias": layer["bias"]}
            module = nn.Conv2d(shape[-1], layer["filters"], window, padding=padding, **more)
            module.weight.copy_(weight.permute(3, 2, 0, 1))
            if layer["bias"]:
                module.bias.copy_(own["bias"])
            return [module] if before == after else [nn.ZeroPad2d((before, after, before, after)), module]
        case "batch-norm":
            return [nn.BatchNorm2d(shape[-1], layer.get("epsilon", 1e-5), 1 - layer.get("decay", 0.9))]
        case "layer-norm":
            return [ChannelNorm(shape[-1]) if len(shape) > 1 else nn.LayerNorm(shape[-1])]
        case "gelu":
            return [nn.GELU()]
        case "relu":
            return [nn.ReLU(inplace=True)]
        case "relu6":
            return [nn.ReLU6(inplace=True)]
        case "mean-pool":
            return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        case "max-pool":
            if len(shape) == 2:
                return [nn.MaxPool2d((1, layer["window"]), (1, layer["stride"]))]
            return [nn.MaxPool2d(layer["window"], layer["stride"])]
        case "local-response-norm":
            return [nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)]  # it divides alpha by the number of neighbours
        case "dropout":
            return [nn.Dropout(layer["drop_rate"])]
        case "flatten":
            return [nn.Flatten()]
    raise Unavailable(f"this contestant is written without {layer['kind']} layers")
