"""show --model: what a ready network is made of."""

import json

import pytest

LENET = """\
network   lenet5 for an input of 32 × 32 × 1, float32; figures are for one example
                                           output  parameters  multiply-adds    memory
          convolution1  Convolution   28 × 28 × 6         156        117,600  18.4 KiB
          tanh1         Tanh          28 × 28 × 6           0              0  18.4 KiB
          pool1         MeanPool      14 × 14 × 6           0              0   4.6 KiB
          convolution2  Convolution  10 × 10 × 16       2,416        240,000   6.2 KiB
          tanh2         Tanh         10 × 10 × 16           0              0   6.2 KiB
          pool2         MeanPool       5 × 5 × 16           0              0   1.6 KiB
          flatten       Flatten               400           0              0   1.6 KiB
          dense1        Dense                 120      48,120         48,000     480 B
          tanh3         Tanh                  120           0              0     480 B
          dense2        Dense                  84      10,164         10,080     336 B
          tanh4         Tanh                   84           0              0     336 B
          output        Dense                  10         850            840      40 B
          in all                                       61,706        416,520  58.6 KiB
          The parameters take 241.0 KiB. Multiply-adds: of products and convolutions. Memory: of all outputs.
"""


def test_lenet(preceptor):
    assert preceptor("show", "--model", "lenet5", "--input", "32x32x1") == (0, LENET, "")
    again = preceptor("show", "--model", "lenet5", "--input", "32×32×1", "--json")
    assert again.out.startswith(LENET)
    found = json.loads(again.out.splitlines()[-1])
    assert set(found) == {"model", "input", "outputs", "parameters", "multiply_adds", "activation_bytes", "layers"}
    assert (found["input"], found["outputs"], found["parameters"]) == ([32, 32, 1], 10, 61_706)
    assert found["layers"][0] == {
        "name": "convolution1",
        "class": "Convolution",
        "shape": [28, 28, 6],
        "parameters": 156,
        "multiply_adds": 28 * 28 * 6 * 25,
        "activation_bytes": 28 * 28 * 6 * 4,
    }
    for word in ("parameters", "multiply_adds", "activation_bytes"):
        assert sum(layer[word] for layer in found["layers"]) == found[word]


def shown(preceptor, *words):
    code, out, err = preceptor("show", *words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out.splitlines()[-1])


def test_alexnet(preceptor):
    found = shown(preceptor, "--model", "alexnet", "--input", "224x224x3")
    assert (found["parameters"], found["multiply_adds"], found["outputs"]) == (60_965_224, 724_406_816, 1000)


def test_other_networks_and_outputs(preceptor):
    assert shown(preceptor, "--model", "mlp", "--input", "784", "--hidden", "30,20")["parameters"] == 24_380
    assert shown(preceptor, "--model", "mlp", "--input", "784", "--hidden", "none")["parameters"] == 7850
    assert shown(preceptor, "--model", "linear", "--input", "4", "--outputs", "3")["multiply_adds"] == 12
    assert shown(preceptor, "--model", "cnn", "--input", "8x8x1", "--outputs", "7")["layers"][-1]["shape"] == [7]


def test_what_lies_within_a_block_is_counted(preceptor):
    found = shown(preceptor, "--model", "resnet20", "--input", "32x32x3")
    assert (found["parameters"], found["multiply_adds"]) == (272_474, 40_813_184)
    block = next(layer for layer in found["layers"] if layer["name"] == "block21")
    assert block["parameters"] == 9 * 16 * 32 + 9 * 32 * 32 + 16 * 32 + 6 * 32
    assert block["activation_bytes"] == 8 * 16 * 16 * 32 * 4  # two convolutions, three norms, ReLU, projection, sum


@pytest.mark.parametrize(
    "words, message",
    [
        (("--model", "alexnet"), "--model alexnet needs the size of its input, such as --input 224x224x3."),
        (("--input", "3"), "--input belongs to a ready network. Name it by --model."),
        (("run", "--outputs", "3"), "--outputs belongs to a ready network."),
        (("run", "--model", "cnn", "--input", "8x8x1"), "received run and --model cnn; one of them can be shown"),
        (("--model", "cnet", "--input", "8x8x1"), "'cnet' is not one of 'linear', 'mlp', 'airbench', 'alexnet', 'cnn'"),
        (("--model", "cnn", "--input", "8xx1"), "--input is '8xx1'; one to four whole numbers with x between"),
        (("--model", "cnn", "--input", "-8x8x1"), "--input is '-8x8x1'; one to four whole numbers with x between"),
        (("--model", "cnn", "--input", "8x0x1"), "--input is 8x0x1; each number must be 1 to 100,000."),
        (("--model", "cnn", "--input", "8x8"), "--input 8x8: cnn needs height, width and channels, such as 224x224x3."),
        (("--model", "cnn", "--input", "3x3x1"), "3x3x1 is too small for cnn: at pool2 (MaxPool) no window fits"),
        (("--model", "lenet5", "--input", "4x4x1"), "too small for lenet5: at convolution1 (Convolution) no window"),
        (("--model", "cnn", "--input", "8x8x1", "--outputs", "0"), "0 is out of range; 1 to 100,000 is required."),
        (("--model", "cnn", "--input", "8x8x1", "--hidden", "8"), "--hidden is of mlp alone; cnn has its own layers."),
        (("--model", "mlp", "--input", "8", "--hidden", "8,0"), "units is 0; it must be at least 1."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_words_and_sizes_are_one_line_and_exit_code_2(preceptor, words, message):
    code, out, err = preceptor("show", *words)
    assert message in err
    assert err.count("\n") == 1
    assert (code, out) == (2, "")
