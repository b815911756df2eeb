"""The recipe of bench/record.py in PyTorch: `python torch_record.py FOLDER SEED` prints its test accuracy as JSON.

Written as its users write it for a processor: channels last, fused optimiser for what Muon leaves, orthogonal moves by
torch.linalg's products, pictures resized once for each size.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))
from record import BATCH, EPOCHS, GROW, MOMENTUM, OPTIONS, RATE, REST, SMOOTHING, WEIGHT_DECAY

WIDTHS, WHITENED, EPSILON = (64, 256, 256), 5_000, 5e-4
QUINTIC, ROUNDS = (3.4445, -4.7750, 2.0315), 5


def read(folder: Path, names: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    raw = np.concatenate([np.fromfile(folder / f"{name}.bin", np.uint8).reshape(-1, 3073) for name in names])
    return torch.from_numpy(raw[:, 1:].reshape(-1, 3, 32, 32)), torch.from_numpy(raw[:, 0].astype(np.int64))


def network(x: torch.Tensor) -> nn.Sequential:
    """With the windows of these pictures whitened."""
    windows = functional.unfold(x, 2).permute(0, 2, 1).reshape(-1, 12).double()
    variances, axes = torch.linalg.eigh(windows.T @ windows / len(windows))
    filters = (axes / (variances + EPSILON).sqrt()).T.reshape(12, 3, 2, 2).float()
    whiten = nn.Conv2d(3, 24, 2, bias=False).requires_grad_(False)
    whiten.weight.copy_(torch.cat((filters, -filters)))
    layers: list[nn.Module] = [whiten, nn.GELU()]
    channels = 24
    for width in WIDTHS:
        for count in (0, 1):
            convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            nn.init.dirac_(convolution.weight.data[:channels])
            norm = nn.BatchNorm2d(width)
            norm.weight.requires_grad_(False)
            layers += [convolution, *([nn.MaxPool2d(2)] if count == 0 else []), norm, nn.GELU()]
            channels = width
    output = nn.Linear(channels, 10)
    nn.init.zeros_(output.weight)
    nn.init.zeros_(output.bias)
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), output)


def orthogonal(x: torch.Tensor) -> torch.Tensor:
    """Near x, with singular values near 1."""
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    x = x / x.norm().clamp(min=1e-7)
    a, b, c = QUINTIC
    for _ in range(ROUNDS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if is_tall else x


def augmented(x: torch.Tensor, shift: int, mirrored: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    side = x.shape[-1]
    padded = functional.pad(x, (shift,) * 4, "reflect")
    out = torch.empty_like(x)
    places = torch.randint(0, 2 * shift + 1, (2, len(x)), generator=generator)
    for down in range(2 * shift + 1):
        for right in range(2 * shift + 1):
            chosen = (places[0] == down) & (places[1] == right)
            out[chosen] = padded[chosen, :, down : down + side, right : right + side]
    return torch.where(mirrored[:, None, None, None], out.flip(3), out)


def fast() -> torch.autocast:
    """Products of bfloat16 where the recipe has them."""
    return torch.autocast("cpu", torch.bfloat16, enabled=OPTIONS["precision"] == "bf16")


def answers(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The sum over a picture and two moved by a pixel, each from both sides, half of it from the picture itself."""
    padded = functional.pad(x, (1,) * 4, "reflect")
    views = ((2, x), (1, padded[:, :, :-2, :-2]), (1, padded[:, :, 2:, 2:]))
    return sum(share * (model(view) + model(view.flip(3))) for share, view in views)


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    x, y = read(folder, [f"data_batch_{number}" for number in range(1, 6)])
    test_x, test_y = read(folder, ["test_batch"])
    values = x.float() / 255
    mean, deviation = values.mean((0, 2, 3), keepdim=True), values.std((0, 2, 3), keepdim=True)
    values = (values - mean) / deviation
    model = network(values[:WHITENED]).to(memory_format=torch.channels_last)
    filters = [p for p in model.parameters() if p.ndim == 4 and p.requires_grad]
    norms = [p for p in model[:-1].parameters() if p.ndim == 1 and p.requires_grad]
    rest = torch.optim.AdamW(
        [{"params": norms, "share": REST[0][1]}, {"params": list(model[-1].parameters()), "share": REST[1][1]}],
        weight_decay=WEIGHT_DECAY,
        fused=True,
    )
    velocities = [torch.zeros_like(p) for p in filters]
    size = min(BATCH, len(x))
    steps = EPOCHS * len(x) // size
    stages, until = [], 0.0
    for word in GROW.split(","):
        side, _, share = word.partition(":")
        until += float(share)
        stages.append((round(until * steps), int(side)))
    stages.append((steps, 32))
    coins = torch.rand(len(x), generator=generator) < 0.5
    side, pictures = 0, values
    for step in range(steps):
        epoch, place = divmod(step * size, len(x))
        if place == 0:
            order = torch.randperm(len(x), generator=generator)
        wanted = next(each for end, each in stages if end > step)
        if wanted != side:
            side = wanted
            small = functional.interpolate(values, size=(side, side), mode="bicubic", antialias=True)
            pictures = (values if side == 32 else small).contiguous(memory_format=torch.channels_last)
        rows = order[place : place + size]
        mirrored = coins[rows] ^ bool(epoch % 2)
        batch = augmented(pictures[rows], max(1, round(2 * side / 32)), mirrored, generator)
        with fast():
            outputs = model(batch.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(outputs.float(), y[rows], label_smoothing=SMOOTHING)
        model.zero_grad(set_to_none=True)
        loss.backward()
        left = 1 - step / steps
        for group in rest.param_groups:
            group["lr"] = group["share"] * left
        rest.step()
        with torch.no_grad():
            for p, velocity in zip(filters, velocities, strict=True):
                velocity.mul_(MOMENTUM).add_(p.grad)
                matrix = p.grad.add(velocity, alpha=MOMENTUM).reshape(len(p), -1)
                factor = 0.2 * max(matrix.shape) ** 0.5
                p.mul_(1 - RATE * left * WEIGHT_DECAY).add_(
                    orthogonal(matrix).reshape(p.shape), alpha=-RATE * left * factor
                )
    model.eval()
    ready = ((test_x.float() / 255 - mean) / deviation).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), fast():
        told = torch.cat([answers(model, part).argmax(1) for part in ready.split(500)])
    print(json.dumps({"accuracy": (told == test_y).float().mean().item()}))


if __name__ == "__main__":
    main()
