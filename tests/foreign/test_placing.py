"""Weights of PyTorch's networks in ours: what comes out must be what comes out there."""

from collections import OrderedDict

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, DataError
from preceptor.foreign.placing import place
from preceptor.foreign.weights import Weights

torch = pytest.importorskip("torch", reason="PyTorch is the reference of these tests: pip install 'preceptor[peers]'")


def spec(*shape):
    return pr.Spec(shape, np.dtype(np.float32))


def weights_of(module, *, by_name=False, wrapper="", name="theirs.pt"):
    """The state of a network of PyTorch, in its order or sorted by name as safetensors files are."""
    values = {wrapper + key: value.detach().numpy() for key, value in module.state_dict().items()}
    return Weights(name, "channels-first", dict(sorted(values.items())) if by_name else values, {})


def learned(module, seed=0):
    """The module with statistics and biases that are not their first values, ready to predict."""
    generator = torch.Generator().manual_seed(seed)
    for value in module.state_dict().values():
        if value.dtype == torch.float32:
            value.copy_(0.3 + 0.4 * torch.rand(value.shape, generator=generator) if value.ndim < 2 else value)
    return module.eval()


def ours(placed, x, engine="native"):
    predict = pr.jit(lambda p, s, x: placed.network.apply(p, s, x, train=False, key=None)[0], engine=engine)
    return predict(placed.params, placed.state, x)


def theirs(module, x):
    with torch.no_grad():
        y = module(torch.tensor(np.moveaxis(x, -1, 1).copy() if x.ndim > 2 else x)).numpy()
    return np.moveaxis(y, 1, -1)


def agree(placed, module, *shape, tolerance=1e-5):
    x = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    wanted = theirs(module, x)
    np.testing.assert_allclose(ours(placed, x), wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())


def small_cnn(classes=4, bias=True, norm=True):
    """PyTorch's writing of our small networks, with biases before the norms as its users leave them."""
    layers = OrderedDict()
    for number, (channels, filters) in enumerate(((3, 5), (5, 6)), 1):
        layers[f"conv{number}"] = torch.nn.Conv2d(channels, filters, 3, padding=1, bias=bias)
        if norm:
            layers[f"bn{number}"] = torch.nn.BatchNorm2d(filters)
        layers[f"relu{number}"] = torch.nn.ReLU()
        layers[f"pool{number}"] = torch.nn.MaxPool2d(2)
    layers |= {"flatten": torch.nn.Flatten(), "fc": torch.nn.Linear(6 * 3 * 2, classes)}
    return learned(torch.nn.Sequential(layers))


def our_cnn(classes=4, **more):
    return nn.convnet(classes, widths=(5, 6), **more)


SHAPE = (2, 12, 8, 3)


@pytest.mark.parametrize("by_name", [False, True], ids=["in-order", "by-name"])
@pytest.mark.parametrize("wrapper", ["", "module.", "model.net."])
@pytest.mark.parametrize("bias", [False, True], ids=["no-bias", "bias"])
def test_a_network_of_pytorch(by_name, wrapper, bias):
    """Filters last, rows of the dense layer in the order of the places here, biases taken up by the norms."""
    module = small_cnn(bias=bias)
    placed = place(weights_of(module, by_name=by_name, wrapper=wrapper), our_cnn(), spec(1, *SHAPE[1:]))
    assert not placed.missing
    assert set(placed.left_out) == {f"{wrapper}bn{n}.num_batches_tracked" for n in (1, 2)}
    agree(placed, module, *SHAPE)
    how = {row.ours: (row.theirs, row.how) for row in placed.rows}
    assert how["convolution1/weight"] == (f"{wrapper}conv1.weight", "filters last")
    assert how["output/weight"] == (f"{wrapper}fc.weight", "transposed, places first")
    assert how["norm2/variance"] == (f"{wrapper}bn2.running_var", "as it is")
    assert how["norm2/mean"] == (f"{wrapper}bn2.running_mean", "less the bias before it" if bias else "as it is")


def test_all_values_are_float32_of_their_own():
    given = weights_of(small_cnn())
    double = Weights(given.name, given.layout, {n: v.astype(np.float64) for n, v in given.values.items()}, {})
    placed = place(double, our_cnn(), spec(1, *SHAPE[1:]))
    for value in (*placed.params.values(), *placed.state.values()):
        assert value.dtype == np.float32
        assert value.flags.c_contiguous
    assert not any(np.shares_memory(placed.state["norm1/variance"], value) for value in given.values.values())


def test_a_batch_norm_folded_there_is_undone():
    module = small_cnn()
    fused = torch.nn.Sequential(
        torch.nn.utils.fuse_conv_bn_eval(module.conv1, module.bn1), module.relu1, module.pool1,
        torch.nn.utils.fuse_conv_bn_eval(module.conv2, module.bn2), module.relu2, module.pool2,
        module.flatten, module.fc,
    ).eval()  # fmt: skip
    placed = place(weights_of(fused), our_cnn(), spec(1, *SHAPE[1:]))
    assert not placed.missing
    agree(placed, module, *SHAPE)
    assert {row.how for row in placed.rows if row.ours.startswith("norm")} == {"batch norm that is folded in there"}
    np.testing.assert_array_equal(placed.state["norm1/variance"] + np.float32(1e-5), 1)


@pytest.mark.parametrize("by_name", [False, True], ids=["in-order", "by-name"])
def test_a_batch_norm_that_ours_has_not_is_folded_in(by_name):
    module = small_cnn()
    placed = place(weights_of(module, by_name=by_name), our_cnn(batch_norm=False), spec(1, *SHAPE[1:]))
    assert not placed.missing
    agree(placed, module, *SHAPE)
    how = next(row.how for row in placed.rows if row.ours == "convolution1/weight")
    assert how == "filters last, batch norm folded in, its epsilon taken as 1e-05"
    assert placed.left_out["bn1.running_var"] == "folded into conv1"


def test_what_has_no_bias_there_has_one_of_zero():
    module = small_cnn(bias=False, norm=False)
    placed = place(weights_of(module), our_cnn(batch_norm=False, initialiser=nn.He()), spec(1, *SHAPE[1:]))
    assert not placed.missing
    agree(placed, module, *SHAPE)
    assert {r.theirs for r in placed.rows if r.how == "0, for there is none there"} == {""}


def test_a_bias_that_has_no_place_is_left_out_with_the_reason():
    network = nn.Sequential((nn.Dense(3, bias=False),))
    placed = place(weights_of(torch.nn.Linear(4, 3)), network, spec(1, 4))
    assert placed.left_out == {"bias": "dense1 has no bias here"}


def test_other_classes_and_channels_stay_as_drawn():
    module, network = small_cnn(9), our_cnn(4)
    rng = lambda: np.random.default_rng(8)
    placed = place(weights_of(module), network, spec(1, *SHAPE[1:]), rng=rng())
    assert placed.missing == dict.fromkeys(("output/weight", "output/bias"), "9 outputs there, 4 here")
    assert placed.left_out["fc.weight"] == "nothing here fits"
    drawn, _ = network.init(rng(), spec(1, *SHAPE[1:]))
    np.testing.assert_array_equal(placed.params["output/weight"], drawn["output/weight"])
    assert not np.array_equal(placed.params["convolution1/weight"], drawn["convolution1/weight"])
    grey = place(weights_of(module), our_cnn(9), spec(1, 12, 8, 1))
    assert grey.missing == {"convolution1/weight": "conv1.weight has another shape: (5, 3, 3, 3), ours is (3, 3, 1, 5)"}


def test_names_of_ours_are_found_again():
    network = nn.resnet20(5)
    params, state = network.init(np.random.default_rng(3), spec(1, 8, 8, 3))
    values = dict(sorted((params | state).items()))
    placed = place(Weights("run", "channels-last", values, {}), network, spec(1, 8, 8, 3))
    assert not placed.missing
    assert not placed.left_out
    for path, value in values.items():
        np.testing.assert_array_equal((placed.params | placed.state)[path], value)


def test_names_decide_before_order():
    """Two layers of one shape, the second first in the file."""
    network = nn.Sequential((nn.Dense(3), nn.Dense(3)), ("first", "second"))
    rng = np.random.default_rng(0)
    values = {f"{layer}.{role}": rng.normal(size=shape).astype(np.float32)
              for layer in ("second", "first") for role, shape in (("weight", (3, 3)), ("bias", (3,)))}  # fmt: skip
    placed = place(Weights("w", "channels-first", values, {}), network, spec(1, 3))
    np.testing.assert_array_equal(placed.params["first/weight"], values["first.weight"].T)
    np.testing.assert_array_equal(placed.params["second/bias"], values["second.bias"])


def dense(number, prefix="layer"):
    """A row of dense layers of one width."""
    rng = np.random.default_rng(0)
    names = [f"{prefix}{n}" for n in range(number)]
    return {f"{n}.{role}": rng.normal(size=shape).astype(np.float32)
            for n in names for role, shape in (("weight", (3, 3)), ("bias", (3,)))}  # fmt: skip


def test_what_cannot_be_told_is_refused_until_it_is_said():
    network, file = nn.mlp((3, 3), 3), Weights("deep.pt", "channels-first", dense(4), {})
    with pytest.raises(
        DataError,
        match=r"^deep\.pt: hidden1 could take layer0 as well as layer1, and neither names nor order tell; what cannot "
        r"be told is not guessed\. Say it: --map layer0=hidden1$",
    ):
        place(file, network, spec(1, 3))
    maps = [("layer3", "hidden1"), ("layer0", "hidden2"), ("layer1", "output")]
    placed = place(file, network, spec(1, 3), maps)
    assert not placed.missing
    for there, here in maps:
        np.testing.assert_array_equal(placed.params[f"{here}/weight"], file.values[f"{there}.weight"].T)
        np.testing.assert_array_equal(placed.params[f"{here}/bias"], file.values[f"{there}.bias"])
    assert set(placed.left_out) == {"layer2.weight", "layer2.bias"}


def test_maps_take_patterns_parts_and_single_arrays():
    network = nn.Sequential(
        (nn.Sequential((nn.Dense(3), nn.Dense(3))), nn.Sequential((nn.Dense(3), nn.Dense(3)))), ("part1", "part2")
    )
    values = {f"{side}.block{k}.{name}": v for side in "ab" for k in (2, 1) for name, v in dense(2).items()}
    values = {name: value + number for number, (name, value) in enumerate(values.items())}
    placed = place(Weights("w", "channels-first", values, {}), network, spec(1, 3), [("a.block*", "part*")])
    assert not placed.missing
    for part in (1, 2):
        for here, there in ((1, 0), (2, 1)):
            wanted = values[f"a.block{part}.layer{there}.weight"].T
            np.testing.assert_array_equal(placed.params[f"part{part}/dense{here}/weight"], wanted)
    assert all(name.startswith("b.") for name in placed.left_out)
    raw = {"Parameter7": np.ones((3, 3), np.float32), "Parameter9": np.full(3, 2, np.float32)}
    maps = [("Parameter7", "dense2/weight"), ("Parameter9", "dense2/bias")]
    placed = place(Weights("w", "channels-first", raw, {}), network.layers[0], spec(1, 3), maps)
    assert set(placed.missing) == {"dense1/weight", "dense1/bias"}
    np.testing.assert_array_equal(placed.params["dense2/bias"], [2, 2, 2])


@pytest.mark.parametrize(
    "maps, message",
    [
        (
            [("nothing", "hidden1")],
            r"^--map nothing=hidden1: deep\.pt has nothing called nothing\. It has layer0",
        ),
        ([("layer0", "hiden1")], r"^--map layer0=hiden1: the network has no layer hiden1\. Did you mean 'hidden1'\?"),
        ([("layer0.weight", "hidden1/bias")], r"^deep\.pt: --map layer0\.weight=hidden1/bias: nothing of the one fits"),
        ([("layer0", "hidden*")], r"^--map layer0=hidden\*: each \* on the right is what one on the left stands for"),
    ],
)
def test_maps_that_name_nothing_are_refused(maps, message):
    with pytest.raises((ConfigError, DataError), match=message):
        place(Weights("deep.pt", "channels-first", dense(2), {}), nn.mlp((3,), 3), spec(1, 3), maps)


def test_files_that_fit_nothing_or_hold_no_numbers_are_refused():
    file = weights_of(small_cnn())
    with pytest.raises(
        DataError,
        match=r"^theirs\.pt: nothing of its 14 arrays fits: the first, conv1\.weight, has shape \(5, 3, 3, 3\); "
        r"hidden1 needs \(7, 2\) in our layout\. Choose the model that it was made for\.$",
    ):
        place(file, nn.mlp((2,), 2), spec(1, 7))
    file.values["conv1.weight"] = np.full_like(file.values["conv1.weight"], np.nan)
    with pytest.raises(DataError, match=r"^theirs\.pt: conv1\.weight holds numbers that are not finite"):
        place(file, our_cnn(), spec(1, *SHAPE[1:]))
    file = weights_of(small_cnn())
    file.values["bn1.running_var"] = -file.values["bn1.running_var"]
    with pytest.raises(DataError, match=r"^theirs\.pt: bn1\.running_var holds a variance below 0, which cannot be"):
        place(file, our_cnn(), spec(1, *SHAPE[1:]))
    with pytest.raises(DataError, match=r"^theirs\.pt: conv1\.weight holds numbers that are not finite"):
        place(file, our_cnn(batch_norm=False), spec(1, *SHAPE[1:]))
    file.values["bn1.running_var"] = np.full(5, 1e300)
    with pytest.raises(DataError, match=r"^theirs\.pt: bn1\.running_var holds numbers that are not finite"):
        place(file, our_cnn(), spec(1, *SHAPE[1:]))
    with pytest.raises(DataError, match=r"^w: nothing of its 0 arrays fits the network\. Is it a file of weights\?$"):
        place(Weights("w", "channels-first", {"step": np.array(3)}, {}), our_cnn(), spec(1, *SHAPE[1:]))


def test_arrays_without_telling_names_go_by_order():
    """As ONNX often has them: a weight, its bias; a weight, the four of a norm."""
    module = small_cnn()
    values = [v.numpy() for n, v in module.state_dict().items() if not n.endswith("tracked")]
    names = [f"onnx::Conv_{number}" for number in (9, 8, 7, 3, 2, 1, 12, 10, 11, 30, 40, 5, 4, 0)]
    assert len(names) == len(values)
    placed = place(Weights("w.onnx", "channels-first", dict(zip(names, values, strict=True)), {}), our_cnn(),
                   spec(1, *SHAPE[1:]))  # fmt: skip
    assert not placed.missing
    agree(placed, module, *SHAPE)


def test_a_norm_that_finds_no_place_is_not_taken_for_folded():
    module = small_cnn()
    values = weights_of(module).values
    values = {n: np.ones(3, np.float32) if n.startswith("bn2") else v for n, v in values.items()}
    placed = place(Weights("w", "channels-first", values, {}), our_cnn(), spec(1, *SHAPE[1:]))
    assert set(placed.missing) == {f"norm2/{role}" for role in ("scale", "shift", "mean", "variance")}
    assert placed.left_out["conv2.bias"] == "norm2, which would take it up, has no place for it"


def test_a_bias_of_another_size_than_its_norm_goes_nowhere():
    values = {**weights_of(small_cnn()).values, "conv1.bias": np.ones(1, np.float32)}
    placed = place(Weights("w", "channels-first", values, {}), our_cnn(), spec(1, *SHAPE[1:]))
    np.testing.assert_array_equal(placed.state["norm1/mean"], values["bn1.running_mean"])
    assert placed.left_out["conv1.bias"] == "norm1, which would take it up, has no place for it"


def test_names_may_put_the_layers_of_a_block_in_another_order():
    """Sorted, the depthwise convolution stands before the one that widens."""

    def block():
        parts = (
            ("conv_pw", torch.nn.Conv2d(4, 8, 1, bias=False)),
            ("bn1", torch.nn.BatchNorm2d(8)),
            ("conv_dw", torch.nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)),
            ("bn2", torch.nn.BatchNorm2d(8)),
            ("conv_pwl", torch.nn.Conv2d(8, 4, 1, bias=False)),
            ("bn3", torch.nn.BatchNorm2d(4)),
        )
        return torch.nn.Sequential(OrderedDict(parts))

    module = learned(torch.nn.Sequential(block(), block()))
    layers = [nn.Convolution(8, 1, bias=False), nn.Convolution(8, 3, groups=8, bias=False)]
    layers = [*layers, nn.Convolution(4, 1, bias=False)] * 2
    network = nn.Sequential(tuple(each for layer in layers for each in (layer, nn.BatchNorm())))
    placed = place(weights_of(module, by_name=True), network, spec(1, 6, 6, 4))
    assert not placed.missing
    agree(placed, module, 2, 6, 6, 4)


def test_numbers_in_names_may_be_of_any_length():
    values = {f"layer{'9' * 5000}²/weight": np.ones((2, 3), np.float32), "a.bias": np.ones(7, np.float32),
              "layer٣²/weight": np.ones((4, 4), np.float32)}  # fmt: skip
    values = dict(sorted(values.items()))
    placed = place(Weights("w", "channels-first", values, {}), nn.Sequential((nn.Dense(2),)), spec(1, 3))
    assert max(map(len, placed.table())) < 300


def test_slopes_and_layer_norms():
    module = learned(torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.PReLU(6), torch.nn.LayerNorm(6)))
    network = nn.Sequential((nn.Dense(6), nn.ParametricRelu(), nn.LayerNorm()))
    placed = place(weights_of(module), network, spec(1, 4))
    assert not placed.missing
    assert not placed.left_out
    agree(placed, module, 5, 4)


def test_depthwise_convolutions_of_pytorch_and_keras():
    module = learned(torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, padding=1, groups=3)))
    network = nn.Sequential((nn.Convolution(6, 3, groups=3),))
    placed = place(weights_of(module), network, spec(1, 5, 5, 3))
    agree(placed, module, 2, 5, 5, 3)
    # Keras has (height, width, channel, filters of each channel); its output is ordered by channel, then filter.
    theirs = np.moveaxis(module[0].weight.detach().numpy().reshape(3, 2, 3, 3), (0, 1), (2, 3))
    values = {"depthwise/depthwise_kernel:0": theirs, "depthwise/bias:0": module[0].bias.detach().numpy()}
    placed = place(Weights("w.h5", "channels-last", values, {}), network, spec(1, 5, 5, 3))
    agree(placed, module, 2, 5, 5, 3)
    assert placed.rows[0].how == "channels and filters in one"


def test_norms_behind_a_flattened_picture_are_put_in_order_too():
    parts = [torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.BatchNorm1d(12), torch.nn.Linear(12, 2)]
    module = learned(torch.nn.Sequential(*parts))
    network = nn.Sequential((nn.Convolution(3, 3, padding="valid"), nn.Flatten(), nn.BatchNorm(), nn.Dense(2)))
    placed = place(weights_of(module), network, spec(1, 4, 4, 2))
    assert not placed.missing
    agree(placed, module, 3, 4, 4, 2)


def test_the_table_says_what_went_where_in_few_lines():
    placed = place(weights_of(small_cnn(9)), our_cnn(4), spec(1, *SHAPE[1:]))
    assert placed.table() == [
        "convolution1   1 array  from conv1.weight  filters last",
        "norm1         4 arrays  from bn1           less the bias before it",
        "convolution2   1 array  from conv2.weight  filters last",
        "norm2         4 arrays  from bn2           less the bias before it",
        "as first drawn: output/weight, output/bias (9 outputs there, 4 here)",
        "left out: bn1.num_batches_tracked, bn2.num_batches_tracked (a counter of training)",
        "left out: fc.weight, fc.bias (nothing here fits)",
    ]


# Residual networks ----------------------------------------------------------------------------------------------------


class Block(torch.nn.Module):
    def __init__(self, channels, filters, stride, option):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(filters)
        self.conv2 = torch.nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(filters)
        self.more = filters - channels
        self.downsample = None
        if self.more and option == "B":
            projection = torch.nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.downsample = torch.nn.Sequential(projection, torch.nn.BatchNorm2d(filters))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None:
            x = self.downsample(x)
        elif self.more:
            x = torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return torch.relu(y + x)


class Resnet20(torch.nn.Module):
    """He et al. 2016, section 4.2."""

    def __init__(self, option):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        for stage, (channels, filters) in enumerate(((16, 16), (16, 32), (32, 64)), 1):
            stride = 1 if stage == 1 else 2
            blocks = [Block(channels, filters, stride, option), *(Block(filters, filters, 1, option) for _ in "ab")]
            setattr(self, f"layer{stage}", torch.nn.Sequential(*blocks))
        self.linear = torch.nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


@pytest.mark.parametrize("by_name", [False, True], ids=["in-order", "by-name"])
@pytest.mark.parametrize("option", ["A", "B"])
def test_residual_networks_with_either_shortcut(option, by_name):
    """Where theirs adds its input without weights, ours does so too, and says it by having no projection."""
    module = learned(Resnet20(option))
    placed = place(weights_of(module, by_name=by_name), nn.resnet20(10), spec(1, 9, 8, 3))
    assert not placed.missing
    assert (placed.network == nn.resnet20(10)) == (option == "B")
    assert nn.count_parameters(placed.params) == sum(value.numel() for value in module.parameters())
    agree(placed, module, 2, 9, 8, 3)
    assert nn.from_config(nn.to_config(placed.network)) == placed.network


def test_a_network_that_lacks_more_than_its_projections_keeps_them():
    module = Resnet20("A")
    file = weights_of(module)
    for name in list(file.values):
        if name.startswith("layer3.2."):
            del file.values[name]
    placed = place(file, nn.resnet20(7), spec(1, 8, 8, 3), [("layer3.0", "block31"), ("layer3.1", "block32")])
    assert placed.network == nn.resnet20(7)
    assert {path.split("/")[0] for path in placed.missing} == {"block21", "block31", "block33", "output"}


# Networks that others have trained ------------------------------------------------------------------------------------


def cifar10_test(shared, number):
    """The first test pictures and labels, pixels from 0 to 1."""
    from PIL import Image

    folder = shared("cifar10")
    mosaic = np.asarray(Image.open(folder / "test_batch.webp").convert("RGB"))
    rows = -(-number // 100)
    pictures = mosaic[: 32 * rows].reshape(rows, 32, 100, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)[:number]
    return pictures.astype(np.float32) / 255, np.load(folder / "labels.npy")[5, :number]


@pytest.mark.parametrize("engine", ["native", pytest.param("reference", marks=pytest.mark.slow),
                                    pytest.param("xla", marks=pytest.mark.slow)])  # fmt: skip
def test_resnet20_of_cifar10(shared, engine):
    from preceptor.foreign.reading import read_weights

    folder = shared("weights") / "akamaster-resnet"
    known = np.load(folder / "resnet20_logits_first1000_test.npy")
    number = 50
    pixels, labels = cifar10_test(shared, number)
    x = ((pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32)
    file = read_weights(folder / "resnet20.safetensors")
    placed = place(file, nn.resnet20(10), spec(1, 32, 32, 3))
    assert not placed.missing
    assert not placed.left_out
    assert nn.count_parameters(placed.params) == 269_722
    logits = ours(placed, x, engine)
    assert np.abs(logits - known[:number]).max() < 1e-4
    module = Resnet20("A").eval()
    module.load_state_dict({name: torch.tensor(value) for name, value in file.values.items()}, strict=False)
    assert np.abs(logits - theirs(module, x)).max() < 1e-4
    assert (logits.argmax(1) == labels).mean() > 0.9


def test_a_network_of_burn(shared):
    """Three convolutions, a norm, two dense layers, a norm."""
    import gzip

    from preceptor.foreign.reading import read_weights

    file = read_weights(shared("weights") / "burn-mnist" / "mnist.safetensors")
    layers = [nn.Convolution(n, 3, padding="valid") for n in (8, 16, 24)]
    between = [each for layer in layers for each in (layer, nn.Relu())]
    rest = (nn.BatchNorm(), nn.Flatten(), nn.Dense(32), nn.Relu(), nn.Dense(10), nn.BatchNorm())
    placed = place(file, nn.Sequential((*between, *rest)), spec(1, 28, 28, 1))
    assert not placed.missing
    assert set(placed.left_out) == {"norm1.num_batches_tracked", "norm2.num_batches_tracked"}
    read = lambda name: gzip.decompress((shared("mnist") / name).read_bytes())
    pixels = np.frombuffer(read("t10k-images-idx3-ubyte.gz"), np.uint8, offset=16, count=500 * 784)
    labels = np.frombuffer(read("t10k-labels-idx1-ubyte.gz"), np.uint8, offset=8, count=500)
    pixels = pixels.reshape(-1, 28, 28, 1).astype(np.float32) / 255
    x = (pixels - np.float32(0.1307)) / np.float32(0.3081)
    logits = ours(placed, x)
    given = {name: torch.tensor(value) for name, value in file.values.items()}
    h = torch.tensor(np.moveaxis(x, -1, 1).copy())
    functional = torch.nn.functional
    norm = lambda h, n: functional.batch_norm(
        h, *(given[f"norm{n}.{each}"] for each in ("running_mean", "running_var", "weight", "bias"))
    )
    for number in (1, 2, 3):
        h = torch.relu(functional.conv2d(h, given[f"conv{number}.weight"], given[f"conv{number}.bias"]))
    h = torch.relu(functional.linear(norm(h, 1).flatten(1), given["fc1.weight"], given["fc1.bias"]))
    h = norm(functional.linear(h, given["fc2.weight"], given["fc2.bias"]), 2)
    assert np.abs(logits - h.numpy()).max() < 1e-4
    assert (logits.argmax(1) == labels).mean() > 0.98
