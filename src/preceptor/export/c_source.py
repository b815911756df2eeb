"""A small network as one file of C99 that needs nothing but math.h."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.data import PicturePreprocessor, Preprocessor
from preceptor.data.affine import Affine
from preceptor.data.encoding.numbers import Numbers
from preceptor.errors import ConfigError
from preceptor.export.c.function import define
from preceptor.export.c.program import Program
from preceptor.export.c.text import as_comment, as_identifier, as_string
from preceptor.export.weights_file import metadata
from preceptor.graph import Graph, flatten, trace
from preceptor.job import Run
from preceptor.job.embedding import plain
from preceptor.job.source_files import files_of
from preceptor.nn.joint import heads
from preceptor.ops import Spec
from preceptor.output import Output
from preceptor.words import counted, listing, shell_word

__all__ = ["write_c"]

MOST_NUMBERS = 2_000_000  # 27 MB of text, for which gcc takes 20 s and 0.5 GiB
TOLD = ("written_by", "network_sha256", "licence", "data", "data_fingerprint")  # of the metadata, in the comment


def write_c(run: Run, path: Path) -> list[str]:
    """Writes the network of a run as C: its weights, exactly, and functions that compute with them.

    `void NAME_predict(const float *x, float *y)` takes the encoded features of one row, or a picture brought to scale,
    and gives probabilities of classes, numbers in the target's unit, or quantiles; those of several targets one after
    another. Where encoding is no more than scaling, `void NAME_scale(const float *raw, float *x)` does it; of one
    target that is classes, `int NAME_class(const float *y)` decides and NAME_classes names. NAME is the file's.

    Args:
        path: the file; it appears under its name when it is whole.
    Returns: what was written and how it is tried, in sentences.
    Raises: ConfigError where the network has more than MOST_NUMBERS numbers, or needs what has no form in C; DataError
        where `path` cannot be written.
    Source: C99, ISO/IEC 9899:1999; no library but its own.
    """
    output = Output(path, chain(files_of(run.path), files_of(run.facts.get("source"))), "export: ")
    count = sum(value.size for value in chain(run.params.values(), run.state.values()))
    if count > MOST_NUMBERS:
        raise ConfigError(
            f"export: the network has {count:,} numbers; a C file takes at most {MOST_NUMBERS:,}, for compilers hold "
            "them all as text. Export it as ONNX."
        )
    program = Program(as_identifier(path.stem))
    graph, known, outputs = _predicting(run)
    functions = [define(program, "predict", graph, known)]
    inputs = int(np.prod(run.preprocessor.input_shape))
    scaling = _scaling(plain(run.preprocessor))
    if scaling is not None and scaling.inputs[0].spec.size <= MOST_NUMBERS - program.numbers:
        functions.insert(0, define(program, "scale", scaling, {}))
    else:
        scaling = None
    lines = [*_told(run, program, scaling is not None, inputs, outputs), "#include <math.h>", ""]
    lines += [f"enum {{ {program.name}_inputs = {inputs}, {program.name}_outputs = {outputs} }};", ""]
    for definition in program.constants.values():
        lines += [*definition, ""]
    for kind, size in program.memory.items():
        lines += [f"static {kind} {program.memory_of(kind)}[{size}];", ""]
    for helper in program.helpers.values():
        lines += [helper, ""]
    for function in functions:
        lines += [*function, ""]
    lines += _deciding(run, program)
    lines += _main(run, program, scaling.inputs[0].spec.size if scaling else inputs, scaling is not None)
    text = "\n".join([*lines, ""])
    with output.text() as file:
        file.write(text)
    return [
        f"{counted(program.numbers, 'number')} and {counted(sum(program.memory.values()), 'number')} of memory; "
        f"{len(text.encode()):,} bytes of C, which needs math.h alone.",
        f"Try it: gcc -std=c99 -O2 -D{_main_of(program)} {shell_word(path)} -lm && ./a.out, and type "
        f"{counted(scaling.inputs[0].spec.size if scaling else inputs, 'number')}"
        f"{'' if scaling else ', the encoded features'}.",
    ]


def _predicting(run: Run) -> tuple[Graph, dict[int, tuple[str, np.ndarray]], int]:
    """What predicts one row: the graph, its inputs that are known, and how many numbers it gives."""

    def predict(params: Any, state: Any, x: Any) -> Any:
        outputs, _ = run.network.apply(params, state, x, train=False, key=None)
        found = []
        for target, (loss, units) in zip(run.targets, heads(run.loss), strict=True):
            each = ops.reshape(loss.predict(outputs[..., units]), (-1,))
            found.append(each * target.sd + target.mean if target.classes is None else each)
        return ops.concatenate(found)

    dtype = next((value.dtype for value in run.params.values()), np.dtype(np.float32))
    given = run.params, run.state
    traced = trace(predict)(*given, Spec((1, *run.preprocessor.input_shape), dtype))
    names = [path for part in given for path in sorted(part)]
    arrays = flatten(given)[0]
    nodes = traced.graph.inputs[: len(names)]
    known = {node.index: (name, array) for node, name, array in zip(nodes, names, arrays, strict=True)}
    return traced.graph, known, traced.graph.outputs[0].spec.size


def _scaling(preprocessor: Preprocessor | PicturePreprocessor) -> Graph | None:
    """What makes features of plain numbers, or of a picture's values from 0 to 255; None where it is more than
    scaling."""
    if isinstance(preprocessor, PicturePreprocessor):
        normalise, shape = preprocessor.normalise, preprocessor.shape
        scale = lambda raw: _affine(normalise, raw * np.float32(1 / 255))
        return trace(scale)(Spec((1, *shape), np.dtype(np.float32))).graph
    columns = preprocessor.columns
    if preprocessor.mixing is not None or not all(isinstance(column, Numbers) for column in columns):
        return None
    widths = [column.width or 1 for column in columns if isinstance(column, Numbers)]

    def encode(raw: Any) -> Any:
        found, start = [], 0
        for column, width in zip(columns, widths, strict=True):
            found.append(_encoded(column, raw[:, start : start + width]))
            start += width
        return ops.cast(ops.concatenate(found, 1), np.float32)

    return trace(encode)(Spec((1, sum(widths)), np.dtype(np.float64))).graph


def _affine(normalise: Affine, x: Any) -> Any:
    """As Affine does it; a matrix in float64."""
    if normalise.matrix is None:
        y = x - normalise.shift.astype(x.dtype)
        return y if normalise.scale is None else y * normalise.scale.astype(x.dtype)
    flat = ops.cast(ops.reshape(x, (1, -1)), np.float64) - normalise.shift.ravel().astype(np.float64)
    return ops.cast(flat @ normalise.matrix.astype(np.float64), np.float32)


def _encoded(column: Any, values: Any) -> Any:
    """As Numbers.fill does it. Shapes: (1, number) -> (1, feature)."""
    shift, scale = column._shift_and_scale
    there = ops.equal(values, values)
    scaled = ops.where(there, (values - shift) * scale, 0)
    if column.bend:
        scaled = scaled / ops.sqrt(1 + ops.square(scaled / column.bend))
    if not column.flags:
        return scaled
    gaps = 1 - ops.cast(there, np.float64)
    return ops.concatenate([scaled, *(gaps[:, flag : flag + 1] for flag in column.flags)], 1)


def _told(run: Run, program: Program, is_scaled: bool, inputs: int, outputs: int) -> list[str]:
    """The comment at the head of the file: what it is, what it takes and gives, where it comes from."""
    known, name, learned = metadata(run), program.name, plain(run.preprocessor)
    lines = [f"The network of a training by Preceptor, which predicts {listing(t.name for t in run.targets)}.", ""]
    lines += [f"void {name}_predict(const float *x, float *y);", f"  x: {inputs:,} numbers, {_input(run, is_scaled)}."]
    lines += [f"  y: {outputs:,} {'number' if outputs == 1 else 'numbers'}: {'; '.join(_outputs(run))}."]
    if is_scaled:
        raw = "values from 0 to 255, row by row, the channels of a pixel beside each other"
        if isinstance(learned, Preprocessor):
            numbers = [each for column in learned.columns if isinstance(column, Numbers) for each in column.numbers]
            raw = f"the numbers {listing(numbers, 100)}; nan where one is missing"
        lines += [f"void {name}_scale(const float *raw, float *x);", f"  raw: {raw}."]
    if (classes := _classes(run)) is not None:
        how = "the most probable" if run.threshold is None else f"the second from a probability of {run.threshold} on"
        lines += [f"int {name}_class(const float *y);", f"  {how} of the {len(classes):,} of {name}_classes."]
    lines += ["", "It writes into memory of its own: one call at a time."]
    if run.facts["settings"]["precision"] == "bf16":
        lines.append("Products are of float32 here; the training rounded their factors to bfloat16.")
    lines += ["", *(f"{key.replace('_', ' ')}: {known[key]}" for key in TOLD)]
    return as_comment(lines)


def _input(run: Run, is_scaled: bool) -> str:
    learned = plain(run.preprocessor)
    if isinstance(learned, PicturePreprocessor):
        shape = " x ".join(map(str, learned.input_shape))
        return f"a picture of {shape} brought to scale{'' if is_scaled else ' as the training did'}, the last fastest"
    return f"the features {listing(learned.feature_names, 100)}, as they are encoded"


def _outputs(run: Run) -> Iterator[str]:
    for target in run.targets:
        if target.classes is not None:
            yield f"the probabilities that {target.name} is {listing(target.written, 100)}"
        elif run.quantiles:
            yield f"the quantiles {listing(run.quantiles)} of {target.name}, in its unit"
        else:
            yield f"{target.name}, in its unit"


def _classes(run: Run) -> tuple[str, ...] | None:
    """The classes, where the one target is classes."""
    return run.targets[0].written if len(run.targets) == 1 and run.targets[0].classes is not None else None


def _deciding(run: Run, program: Program) -> list[str]:
    """Class names and what decides for one."""
    classes, name = _classes(run), program.name
    if classes is None:
        return []
    lines = [f"const char *const {name}_classes[{len(classes)}] = {{"]
    lines += [f"    {as_string(each)}," for each in classes]
    lines += ["};", "", f"int {name}_class(const float *y)", "{"]
    if run.threshold is not None:
        return [*lines, f"    return y[1] >= {run.threshold!r};", "}", ""]
    lines += ["    int most = 0;", f"    for (int i = 1; i < {len(classes)}; ++i) if (y[i] > y[most]) most = i;"]
    return [*lines, "    return most;", "}", ""]


def _main_of(program: Program) -> str:
    return f"{program.name.upper()}_MAIN"


def _main(run: Run, program: Program, raw: int, is_scaled: bool) -> list[str]:
    """A program to try it: numbers of one row after another from standard input, a line for each to standard output."""
    name = program.name
    lines = [f"#ifdef {_main_of(program)}", "#include <stdio.h>", "", "int main(void)", "{"]
    lines += [f"    static float raw[{raw}], {f'x[{name}_inputs], ' if is_scaled else ''}y[{name}_outputs];"]
    lines += ["    for (;;) {", f"        for (int i = 0; i < {raw}; ++i) {{"]
    lines += [
        '            const int found = scanf("%f", &raw[i]);',
        "            if (found == EOF && i == 0) return 0;",
    ]
    lines += ["            if (found != 1) {"]
    lines += [f'                fprintf(stderr, "a row of {raw} numbers is needed; number %d is none\\n", i + 1);']
    lines += ["                return 1;", "            }", "        }"]
    lines += [f"        {name}_scale(raw, x);"] if is_scaled else []
    lines += [f"        {name}_predict({'x' if is_scaled else 'raw'}, y);"]
    lines += [f'        for (int i = 0; i < {name}_outputs; ++i) printf(i ? " %.9g" : "%.9g", y[i]);']
    if _classes(run) is not None:
        lines += [f'        printf(" %s", {name}_classes[{name}_class(y)]);']
    return [*lines, '        printf("\\n");', "    }", "}", "#endif"]
