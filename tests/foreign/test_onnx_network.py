"""Whole networks of other libraries, beside onnxruntime."""

import gzip
import json
import warnings

import numpy as np
import pytest
from onnx_files import agree, kinds, node, normal, saved

import preceptor as pr
from preceptor import nn
from preceptor.foreign.onnx_network import read_network

MNIST, CIFAR = "weights/onnx-mnist/opt-mnist.onnx", "weights/vnncomp2021/cifar_base_kw.onnx"


def predicted(read, x):
    run = pr.jit(lambda p, s, x: read.network.apply(p, s, x, train=False, key=None)[0])
    return np.asarray(run(read.params, read.state, x)).argmax(-1)


def test_digits_of_the_onnx_zoo(shared):
    path = shared(MNIST)
    read = read_network(path)
    assert kinds(read.network) == ["Convolution", "Relu", "MaxPool"] * 2 + ["Flatten", "Dense"]
    assert (read.input_shape, read.name) == ((28, 28, 1), "opt-mnist")
    assert read.network.names[:3] == ("Convolution28", "relu1", "Pooling66")
    agree(read, path, (1, 28, 28))
    agree(read, path, (1, 28, 28), "native")
    files = (shared(f"mnist/t10k-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    pictures, labels = (gzip.decompress(file.read_bytes()) for file in files)
    x = np.frombuffer(pictures, np.uint8, offset=16).reshape(-1, 28, 28, 1)[:1000].astype(np.float32)
    right = predicted(read, x) == np.frombuffer(labels, np.uint8, offset=8)[:1000]
    assert right.mean() == 0.987  # what onnxruntime has right too


def test_colour_pictures_of_a_robust_network(shared):
    path = shared(CIFAR)
    read = read_network(path)
    assert kinds(read.network) == ["Convolution", "Relu"] * 2 + ["Flatten", "Dense", "Relu", "Dense"]
    assert read.input_shape == (32, 32, 3)
    agree(read, path, (3, 32, 32))
    agree(read, path, (3, 32, 32), "native")
    from PIL import Image

    mosaic = np.asarray(Image.open(shared("cifar10/test_batch.webp")).convert("RGB"))[:320]
    pictures = mosaic.reshape(10, 32, 100, 32, 3).swapaxes(1, 2).reshape(1000, 32, 32, 3)
    labels = np.load(shared("cifar10/labels.npy"), allow_pickle=False)[5, :1000]
    x = ((pictures / 255 - [0.485, 0.456, 0.406]) / 0.225).astype(np.float32)
    assert (predicted(read, x) == labels).mean() == 0.611


# Networks as PyTorch exports them.


@pytest.fixture(scope="session")
def models(torch):
    """Makers of PyTorch's modules, by name: (module, dimensions of an example)."""
    layers, functional = torch.nn, torch.nn.functional

    class Lenet(layers.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = layers.Conv2d(1, 6, 5), layers.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.dropout = layers.Linear(256, 20), layers.Linear(20, 10), layers.Dropout(0.3)

        def forward(self, x):
            x = functional.max_pool2d(torch.tanh(self.conv1(x)), 2)
            x = functional.max_pool2d(torch.tanh(self.conv2(x)), 2, ceil_mode=True)
            return self.fc2(self.dropout(torch.relu(self.fc1(x.view(x.size(0), -1)))))

    class Block(layers.Module):
        def __init__(self, inward, outward, stride):
            super().__init__()
            self.conv1 = layers.Conv2d(inward, outward, 3, stride, 1, bias=False)
            self.bn1 = layers.BatchNorm2d(outward)
            self.conv2 = layers.Conv2d(outward, outward, 3, 1, 1, bias=False)
            self.bn2, self.relu, self.downsample = layers.BatchNorm2d(outward), layers.ReLU(), layers.Identity()
            if stride > 1:
                conv = layers.Conv2d(inward, outward, 1, stride, bias=False)
                self.downsample = layers.Sequential(conv, layers.BatchNorm2d(outward))

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + self.downsample(x))

    class Resnet(layers.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = layers.Conv2d(3, 8, 3, 1, 1, bias=False), layers.BatchNorm2d(8)
            self.relu, self.maxpool = layers.ReLU(), layers.MaxPool2d(3, 2, 1)
            self.layer1 = layers.Sequential(Block(8, 8, 1), Block(8, 8, 1))
            self.layer2 = layers.Sequential(Block(8, 16, 2), Block(16, 16, 1))
            self.avgpool, self.fc = layers.AdaptiveAvgPool2d(1), layers.Linear(16, 10)

        def forward(self, x):
            x = self.layer2(self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x))))))
            return self.fc(torch.flatten(self.avgpool(x), 1))

    class Excited(layers.Module):
        def __init__(self, width):
            super().__init__()
            self.fc1, self.fc2 = layers.Conv2d(width, 4, 1), layers.Conv2d(4, width, 1)

        def forward(self, x):
            return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(functional.adaptive_avg_pool2d(x, 1)))))

    class Inverted(layers.Module):
        def __init__(self, inward, outward, stride, active):
            super().__init__()
            wide = inward * 2
            conv = layers.Conv2d(inward, wide, 1, bias=False)
            self.expand = layers.Sequential(conv, layers.BatchNorm2d(wide), active())
            conv = layers.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)
            self.depthwise = layers.Sequential(conv, layers.BatchNorm2d(wide), active())
            self.excite = Excited(wide)
            self.project = layers.Sequential(layers.Conv2d(wide, outward, 1, bias=False), layers.BatchNorm2d(outward))
            self.is_residual = stride == 1 and inward == outward

        def forward(self, x):
            y = self.project(self.excite(self.depthwise(self.expand(x))))
            return x + y if self.is_residual else y

    class Mobilenet(layers.Module):
        def __init__(self, active):
            super().__init__()
            self.stem = layers.Sequential(layers.Conv2d(3, 8, 3, 2, 1), active())
            self.blocks = layers.Sequential(Inverted(8, 8, 1, active), Inverted(8, 12, 2, active))
            self.head = layers.Linear(12, 5)

        def forward(self, x):
            return torch.log_softmax(self.head(self.blocks(self.stem(x)).mean([2, 3])), -1)

    class Inception(layers.Module):
        def __init__(self):
            super().__init__()
            self.small, self.pooled = layers.Conv2d(3, 4, 1), layers.Conv2d(3, 2, 1)
            self.large = layers.Sequential(layers.Conv2d(3, 4, 1), layers.ReLU(), layers.Conv2d(4, 6, 3, padding=1))
            self.fc = layers.Linear(12 * 20, 3)

        def forward(self, x):
            pooled = self.pooled(functional.avg_pool2d(x, 3, 1, 1))
            return self.fc(torch.relu(torch.cat([self.small(x), self.large(x), pooled], 1)).flatten(1))

    class Densenet(layers.Module):
        def __init__(self):
            super().__init__()
            self.convs = layers.ModuleList([layers.Conv2d(3 + 4 * each, 4, 3, padding=1) for each in range(3)])
            self.fc = layers.Linear(15, 3)

        def forward(self, x):
            for conv in self.convs:
                x = torch.cat([x, torch.relu(conv(x))], 1)
            return self.fc(x.mean((2, 3)))

    class Activations(layers.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.one, self.each = layers.Linear(6, 7), layers.PReLU(), layers.PReLU(7)
            self.norm, self.batch = layers.LayerNorm(7), layers.BatchNorm1d(7)

        def forward(self, x):
            x = self.fc((x - 0.5) / torch.arange(1.0, 7))
            words = "elu selu gelu silu mish hardswish hardsigmoid softplus"
            for each in (*(getattr(functional, word) for word in words.split()), self.one, self.each, self.norm):
                x = each(x)
            return torch.softmax(self.batch(functional.leaky_relu(x, 0.2).clamp(-1, 1.5)), 1)

    def vgg():
        convs = [layers.Conv2d(3, 8, 3, padding=1), layers.BatchNorm2d(8), layers.ReLU(), layers.Conv2d(8, 8, 3)]
        return layers.Sequential(
            *convs,
            layers.BatchNorm2d(8),
            layers.ReLU(),
            layers.MaxPool2d(2),
            layers.Flatten(),
            layers.BatchNorm1d(8 * 3 * 2),
            layers.Linear(48, 16),
            layers.ReLU(),
            layers.Dropout(),
            layers.Linear(16, 10),
        )

    def mlp():
        return layers.Sequential(
            layers.Linear(5, 8), layers.ReLU(), layers.Linear(8, 8), layers.Tanh(), layers.Linear(8, 1)
        )

    return {
        "lenet": (Lenet, (1, 28, 28)),
        "vgg": (vgg, (3, 8, 6)),
        "resnet": (Resnet, (3, 16, 12)),
        "mobilenet": (lambda: Mobilenet(layers.ReLU6), (3, 16, 12)),
        "mobilenet-hardswish": (lambda: Mobilenet(layers.Hardswish), (3, 16, 12)),
        "efficientnet": (lambda: Mobilenet(layers.SiLU), (3, 16, 12)),
        "inception": (Inception, (3, 4, 5)),
        "densenet": (Densenet, (3, 4, 5)),
        "activations": (Activations, (6,)),
        "mlp": (mlp, (5,)),
    }


@pytest.fixture
def exported(torch, models, tmp_path):
    """Returns `export(name, opset, folded)`: the path of a network as PyTorch exports it, and an example's lengths."""

    def export(name, opset=17, folded=False):
        torch.manual_seed(0)
        make, dims = models[name]
        module = make().eval()
        for each in module.modules():
            if isinstance(each, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                for values in (each.running_var, each.weight, each.running_mean, each.bias):
                    torch.nn.init.uniform_(values, 0.5, 1.5)
        path = tmp_path / f"{name}.onnx"
        names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
        kept = {} if folded else {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = torch.zeros(1, *dims)
            torch.onnx.export(module, x, str(path), dynamo=False, opset_version=opset, **names, **kept)
        return path, dims

    return export


NAMES = ["lenet", "vgg", "resnet", "mobilenet", "efficientnet", "inception", "densenet", "activations", "mlp"]


@pytest.mark.parametrize("name", [*NAMES, "mobilenet-hardswish"])
def test_a_network_of_pytorch_gives_the_same_outputs(exported, name):
    path, dims = exported(name)
    agree(read_network(path), path, dims)


@pytest.mark.parametrize("name, opset", [("resnet", 9), ("mobilenet", 11), ("lenet", 13), ("efficientnet", 20)])
def test_so_does_one_of_another_opset_with_norms_folded(exported, name, opset):
    path, dims = exported(name, opset, folded=True)
    agree(read_network(path), path, dims)


@pytest.mark.parametrize("name", ["resnet", "efficientnet", "inception"])
def test_the_native_engine_computes_the_same(exported, name):
    path, dims = exported(name)
    agree(read_network(path), path, dims, "native")


def test_residual_blocks_are_such_and_keep_their_names(exported):
    network = read_network(exported("resnet")[0]).network
    assert network.names == (
        *("conv1", "bn1", "relu", "maxpool", "layer1.0", "layer1.0.relu_1", "layer1.1", "layer1.1.relu_1"),
        *("layer2.0", "layer2.0.relu_1", "layer2.1", "layer2.1.relu_1", "avgpool", "fc"),
    )
    block = network.layers[network.names.index("layer2.0")]
    assert isinstance(block, nn.Residual)
    assert block.block.names == ("conv1", "bn1", "relu", "conv2", "bn2")
    assert block.projection.names == ("convolution0", "batchnorm1")
    assert network.layers[network.names.index("layer2.1")].projection is None


def test_what_else_branches_is_wired(exported):
    network = read_network(exported("inception")[0]).network
    block = network.layers[0]
    assert isinstance(block, nn.Wired)
    assert (block.names[-1], block.inputs[-1], block.joins[-1]) == (
        "concatenate1",
        ("small", "large.2", "pooled"),
        "concatenate",
    )
    excited = read_network(exported("efficientnet")[0]).network
    inner = excited.layers[excited.names.index("blocks.0")].block
    assert inner.names[:2] == ("expand.0", "expand.1")
    assert inner.layers[inner.names.index("excite")].joins[-1] == "product"


@pytest.mark.parametrize("name", ["resnet", "inception", "efficientnet"])
def test_what_is_read_can_be_saved_and_trained(exported, name):
    read = read_network(exported(name)[0])
    assert nn.from_config(json.loads(json.dumps(nn.to_config(read.network)))) == read.network
    specs = nn.initial_specs(read.network, pr.Spec((1, *read.input_shape), np.dtype(np.float32)))
    for own, arrays in zip(specs, (read.params, read.state), strict=True):
        assert own == {path: pr.Spec(array.shape, array.dtype) for path, array in arrays.items()}
    x = np.random.default_rng(0).normal(size=(2, *read.input_shape)).astype(np.float32)
    loss = lambda p: pr.sum(read.network.apply(p, read.state, x, train=True, key=pr.key(0))[0] ** 2)
    slopes = pr.grad(loss)(read.params)
    assert all(np.isfinite(slope).all() for slope in slopes.values())


def test_the_first_output_of_numbers_is_read(tmp_path):
    path = saved(
        tmp_path / "n.onnx",
        [node("Gemm", "x w", "a"), node("Relu", "a"), node("Tanh", "a", "z")],
        (4,),
        {"w": normal(4, 2)},
    )
    import onnx

    model = onnx.load(path)
    labels = onnx.helper.make_tensor_value_info("label", onnx.TensorProto.INT64, ["n"])
    others = [onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["n", 2])]
    model.graph.node.append(onnx.helper.make_node("ArgMax", ["y"], ["label"], axis=1, keepdims=0))
    kept = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend([labels, *kept, *others])
    onnx.save(model, path)
    read = read_network(path)
    assert kinds(read.network) == ["Dense", "Relu"]
    assert read.notes == ("Its output y is read; left out are label, z.",)
