"""PyTorch: eager with the fused Adam, or the loss compiled by torch.compile."""

import torch
from torch import nn

from workloads import BETA1, BETA2, EPSILON, LEARNING_RATE, Task

ACTIVATIONS = {"relu": nn.ReLU, None: nn.Identity}


def build(task: Task, variant: str):
    """Builds variant "torch" (eager) or "torch-compile"."""
    task.require_kinds("dense")
    torch.manual_seed(0)
    workload = task.workload
    x, y = (torch.from_numpy(array) for array in task.data)

    modules = []
    for layer, (weight, bias) in zip(workload.layers, task.initial, strict=True):
        linear = nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T))
            linear.bias.copy_(torch.from_numpy(bias))
        modules.append(linear)
        if layer["activation"]:
            modules.append(ACTIVATIONS[layer["activation"]]())
    model = nn.Sequential(*modules)
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE, (BETA1, BETA2), EPSILON, fused=True)

    def loss_of(x, y):
        return nn.functional.cross_entropy(model(x), y)

    if task.precision == "bf16":

        def loss_of(x, y):
            with torch.autocast("cpu", torch.bfloat16):
                return nn.functional.cross_entropy(model(x), y)

    step_loss = torch.compile(loss_of) if variant == "torch-compile" else loss_of

    def train(epochs):
        for _ in range(epochs):
            for rows in torch.randperm(workload.rows).split(workload.batch):
                optimiser.zero_grad(set_to_none=True)
                step_loss(x[rows], y[rows]).backward()
                optimiser.step()

    @torch.no_grad()
    def loss():
        return loss_of(x, y).item()

    return train, loss
