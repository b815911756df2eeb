"""Stories to lay out: such as runs tell, and such as nobody should."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from preceptor.evidence.record import (
    Baseline,
    Bin,
    Calibration,
    Column,
    Curve,
    Decile,
    Evidence,
    Example,
    Fork,
    Importance,
    Judgement,
    LayerShape,
    Look,
    Parameters,
    Picture,
    Response,
    Share,
    Signals,
    Threshold,
)
from preceptor.page.story import Story, Told


def history(epochs=32, metric="accuracy", overfits=False):
    kept = []
    for epoch in range(1, epochs + 1):
        share = epoch / epochs
        train = 1.6 * np.exp(-5 * share) + 0.05 + 0.01 * np.sin(epoch)
        dev = 1.55 * np.exp(-5 * share) + 0.12 + 0.012 * np.cos(1.7 * epoch) + (0.5 * share**2 if overfits else 0)
        kept.append(
            {
                "step": epoch * 56,
                "epoch": epoch * 1.0,
                "objective": train * 1.3 + 0.1,
                "train_loss": train,
                "dev_loss": dev,
                f"dev_{metric}": 1 - dev / 4 if metric != "mae" else dev * 20_000,
                "learning_rate": 0.01 * np.sin(np.pi * min(share + 0.1, 1)) ** 2 + 1e-8,
                "seconds": 0.1,
            }
        )
    return kept


def steps(count=1000, per_point=2):
    x = np.arange(count) * per_point + 1.0
    y = 2.2 * np.exp(-x / (count * per_point / 6)) + 0.3 + 0.04 * np.random.default_rng(1).normal(size=count)
    away = np.abs(np.random.default_rng(2).normal(size=count)) * 0.08
    return Curve(x=x.tolist(), y=y.tolist(), low=(y - away).tolist(), high=(y + away).tolist())


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return Picture(png=file.getvalue(), height=len(pixels), width=len(pixels[0]))


def roc(strength, name="", count=60):
    x = np.linspace(0, 1, count) ** 2
    y = x ** (1 / strength)
    return Curve(x=x.tolist(), y=y.tolist(), name=name, area=float(np.trapezoid(y, x)))


def precision(strength, name="", count=60):
    x = np.linspace(0, 1, count)
    y = 1 - 0.7 * x**strength
    return Curve(x=x.tolist(), y=y.tolist(), name=name, area=float(np.trapezoid(y, x)))


def judged_classes(target, classes, rows=1800, right=0.97, seed=0):
    rng = np.random.default_rng(seed)
    count = len(classes)
    table = np.zeros((count, count))
    for i in range(count):
        of = rows // count + int(rng.integers(0, 9))
        good = rng.binomial(of, right - 0.06 * rng.random())
        table[i, i] = good
        for _ in range(of - good):
            table[i, int(rng.choice([j for j in range(count) if j != i]))] += 1
    recall = [
        Share(
            value=table[i, i] / table[i].sum(),
            low=max(0, table[i, i] / table[i].sum() - 0.03),
            high=min(1, table[i, i] / table[i].sum() + 0.02),
            rows=table[i].sum(),
        )
        for i in range(count)
    ]
    pairs = sorted(
        ((table[i, j], classes[i], classes[j]) for i in range(count) for j in range(count) if i != j and table[i, j]),
        reverse=True,
    )[:20]
    two = count == 2
    edges = np.linspace(0.05, 0.95, 10)
    return Judgement(
        target=target,
        rows=int(table.sum()),
        baselines=[
            Baseline(name="naive guess", figures={"accuracy": 1 / count, "log_loss": float(np.log(count)), "auc": 0.5}),
            Baseline(name="linear model", figures={"accuracy": 0.94, "log_loss": 0.21, "auc": 0.97}),
        ],
        classes=list(classes),
        confusion=table.tolist(),
        recall=recall,
        confused=[(a, b, float(value)) for value, a, b in pairs],
        roc=[roc(8)] if two else [roc(12 + i % 7, each) for i, each in enumerate(classes[:20])],
        precision_recall=[precision(3)] if two else [precision(4 + i % 5, each) for i, each in enumerate(classes[:20])],
        calibration=Calibration(
            bins=[
                Bin(
                    predicted=p,
                    observed=min(1, max(0, p + 0.05 * np.sin(9 * p))),
                    low=max(0, p - 0.08),
                    high=min(1, p + 0.1),
                    rows=float(10 + 300 * p**4),
                )
                for p in edges.tolist()
            ],
            error=0.0213,
        ),
        thresholds=[
            Threshold(
                threshold=t,
                precision=0.3 + 0.69 * t if t < 1 else None,
                recall=1 - t**3,
                false_alarms=(1 - t) ** 2,
                accuracy=0.6 + 0.6 * t * (1 - t),
                f1=2 * (0.3 + 0.69 * t) * (1 - t**3) / (1.3 + 0.69 * t - t**3),
            )
            for t in np.linspace(0, 1, 101).tolist()
        ]
        if two
        else [],
    )


def judged_numbers(target):
    rng = np.random.default_rng(3)
    true = np.exp(rng.normal(12, 0.5, 500))
    predicted = true * np.exp(rng.normal(0, 0.12, 500))
    counts, edges = np.histogram(predicted - true, 31)
    bounds = np.quantile(true, np.linspace(0, 1, 11))
    return Judgement(
        target=target,
        rows=4128,
        baselines=[
            Baseline(name="naive guess", figures={"mae": 91_000.0, "rmse": 115_000.0, "r2": 0.0}),
            Baseline(name="linear model", figures={"mae": 49_900.0, "rmse": 69_000.0, "r2": 0.641}),
        ],
        true=true.tolist(),
        predicted=predicted.tolist(),
        edges=edges.tolist(),
        counts=counts.astype(float).tolist(),
        deciles=[
            Decile(low=a, high=b, rows=413, mae=0.1 * b, bias=(5 - i) * 2500.0)
            for i, (a, b) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        ],
    )


def look(paths):
    at = [1, 56, 200, 500, 900, 1300, 1792]
    falling = [float(0.3 / (1 + i)) for i in range(7)]
    return Look(
        steps=at,
        signals=[
            Signals(
                path=path,
                spread=[0.8 + 0.1 * i + 0.2 * j for i in range(7)],
                gradient=[each / (1 + 3 * j) for each in falling],
                zeros=[0.45 + 0.01 * i for i in range(7)],
                dead=[0.02 * j * i for i in range(7)],
                saturated=[None] * 7 if j else [0.0, 0.01, 0.02, 0.02, 0.03, 0.03, 0.03],
            )
            for j, path in enumerate(paths)
        ],
        parameters=[
            Parameters(
                path=f"{path}.{name}",
                size=[0.1 + 0.02 * i for i in range(7)],
                gradient=falling,
                ratio=[0.01 * 10 ** (-0.3 * i) for i in range(7)],
            )
            for path in paths
            for name in ("weight", "bias")
        ],
    )


MLP = [
    LayerShape(path="members", kind="Members 16", shape=[64], parameters=1024),
    LayerShape(path="hidden1", kind="MemberDense 64", shape=[64], parameters=66_560),
    LayerShape(path="activation1", kind="Relu", shape=[64], parameters=0),
    LayerShape(path="hidden2", kind="MemberDense 64", shape=[64], parameters=66_560),
    LayerShape(path="activation2", kind="Relu", shape=[64], parameters=0),
    LayerShape(path="output", kind="MemberDense 10", shape=[10], parameters=10_400),
]
CARD = [
    ("model", "mlp, 16 members trained as one, each 64 → 64 → 64 → 10, relu"),
    ("optimiser", "adamw, learning rate 0.01, one-cycle, weight decay 0.01"),
    ("batch size", "32"),
    ("epochs", "32, best after 24"),
    ("loss", "SoftmaxCrossEntropy (label smoothing 0.1)"),
    ("seed", "0"),
    ("engine", "native (CPU, avx512, 2 threads), f32"),
    ("preceptor", "0.1.0"),
    ("data fingerprint", "sha256 37b6d5f7984308187eb6d1e7fce45b9d80113e493e9ff6dfc54782cb5739b635"),
]
COMMANDS = [
    ("Predict new rows", "preceptor predict runs/digits-1 NEW.csv -o predictions.csv"),
    ("Make this run again", "preceptor fit digits --seed 0"),
    ("Make this page again", "preceptor report runs/digits-1"),
]
DIGITS_FIGURES = [
    ["", "out of fold, 1,797 rows"],
    ["accuracy", "0.9900 (0.9842 to 0.9937)"],
    ["top-5 error", "0.0006 (0.0001 to 0.0031)"],
    ["log loss", "0.033 (0.021 to 0.046)"],
    ["f1", "0.9900 (0.9841 to 0.9937)"],
    ["auc", "0.99992 (0.99981 to 0.99997)"],
    ["calibration error", "0.007 (0.000 to 0.010)"],
]


def digits():
    """Ten classes; nothing is wrong."""
    rng = np.random.default_rng(0)
    columns = [
        Column(
            name=f"pixel {i // 8},{i % 8}",
            kind="block",
            done="Block of numbers: one mean and deviation for all.",
            distinct=17,
            edges=np.linspace(0, 16, 17).tolist(),
            counts=rng.integers(0, 300, 16).astype(float).tolist(),
        )
        for i in range(64)
    ]
    importance = [
        Importance(column=f"pixel {i // 8},{i % 8}", value=0.2 / (i + 1), low=0.17 / (i + 1), high=0.23 / (i + 1))
        for i in range(64)
    ]
    responses = [
        Response(
            column=f"pixel {i},3",
            target="digit",
            names=["8", "3", "5"],
            x=np.linspace(0, 16, 20).tolist(),
            y=[(0.3 + 0.2 * np.sin(np.linspace(0, 3, 20) + i + j)).tolist() for j in range(3)],
            edges=np.linspace(0, 16, 17).tolist(),
            counts=rng.integers(0, 300, 16).astype(float).tolist(),
        )
        for i in range(4)
    ]
    examples = [
        Example(
            kind=kind,
            target="digit",
            row=17 + 31 * i,
            true=str(i),
            predicted=str((i + 5) % 10 if kind == "worst" else i),
            loss=5.1 - 0.4 * i if kind == "worst" else 0.002,
            probability=0.97 - 0.03 * i,
            values=[(f"pixel 0,{j}", str(int(rng.integers(0, 17)))) for j in range(12)],
        )
        for kind in ("worst", "typical")
        for i in range(6)
    ]
    evidence = Evidence(
        part="out of fold",
        rows=1797,
        judgements=[judged_classes("digit", [str(i) for i in range(10)])],
        examples=examples,
        importance=importance,
        measure="log loss",
        cost="Each column was shuffled twice in 512 rows: 0.1 s, 6 % of the training.",
        responses=responses,
        columns=columns,
        column_count=64,
        layers=MLP,
        look=look(["hidden1", "activation1", "hidden2", "activation2", "output"]),
        losses=steps(900),
        fingerprint="37b6d5f7984308187eb6d1e7fce45b9d",
        versions={"python": "3.11.2", "numpy": "2.3.5", "preceptor": "0.1.0"},
    )
    return Story(
        name="digits-1",
        data="digits: 1,797 rows, 64 features",
        target="digit",
        verdict=[
            "99.0 % of 1,797 rows are told right (98.4 to 99.4 %), where the most frequent class would be right in "
            "10.2 % and a linear model in 96.9 %.",
            "Nothing was found wrong: 30 rules looked on while it trained.",
            "Next: predict new rows, or look at the six rows below that it takes for another digit.",
        ],
        level="good",
        checked=[
            "No row is twice in the data.",
            "No column tells the target by itself.",
            "Every class has at least 174 rows.",
            "Losses fell in all layers; no unit is dead.",
            "The learning rate is within a factor of three of the best that was tried.",
            "Train and dev losses stay together.",
        ],
        history=history(),
        curve="Looks good. Train error 0.0%, dev error 1.1%: low bias, low variance.",
        figures=[("", DIGITS_FIGURES)],
        figures_note="In brackets: 95 % intervals. Out of fold few members judge a row.",
        data_lines=[
            "digits: 1,797 rows, 64 features",
            "Block of numbers pixels: 64 per row, one mean and deviation for all.",
            "Target digit: 10 classes (whole numbers of only 10 values): 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.",
        ],
        split="1,797 to train in 8 folds, each judged by the networks that leave it out; stratified by class, seed 0",
        network=["mlp, 16 members trained as one, each 64 → 64 → 64 → 10, relu; 144,544 parameters."],
        card=CARD,
        commands=COMMANDS,
        evidence=evidence,
    )


def adult():
    """Two classes, findings with a fork."""
    names = ["age", "workclass", "education", "occupation", "capital-gain", "hours-per-week", "sex", "native-country"]
    rng = np.random.default_rng(5)
    columns = []
    for i, each in enumerate(names):
        if i in (0, 4, 5):
            counts = np.histogram(rng.gamma(3, 10, 2000), 20)
            columns.append(
                Column(
                    name=each,
                    kind="number",
                    done="Standardised by mean and deviation; a gap is filled by the median and flagged.",
                    missing=0.0,
                    distinct=74,
                    edges=counts[1].tolist(),
                    counts=counts[0].astype(float).tolist(),
                )
            )
        else:
            columns.append(
                Column(
                    name=each,
                    kind="category",
                    done="One number for each of 9 levels; levels that training never saw become “other”.",
                    missing=0.056 if i == 1 else 0.61 if i == 3 else 0,
                    distinct=9,
                    levels=["Private", "Self-emp-not-inc", "Local-gov", "State-gov", "?"],
                    counts=[22_696.0, 2_541.0, 2_093.0, 1_298.0, 1_836.0],
                    others=2000.0,
                )
            )
    fork_x = [float(i) for i in range(59, 159)]
    fork = Fork(
        rule="lr_too_large",
        without=Curve(x=fork_x, y=(0.9 + 0.1 * np.sin(np.arange(100) / 4)).tolist()),
        with_it=Curve(x=fork_x, y=(0.35 + 0.55 * np.exp(-np.arange(100) / 20)).tolist()),
    )
    evidence = Evidence(
        part="test",
        rows=6513,
        judgements=[judged_classes("income", ["<=50K", ">50K"], 6513, 0.87)],
        examples=[
            Example(
                kind=kind,
                target="income",
                row=1021 + 977 * i,
                true=">50K" if i % 2 else "<=50K",
                predicted="<=50K" if i % 2 else ">50K",
                loss=4.2 - i * 0.3,
                probability=0.98,
                values=[(n, "Self-emp-not-inc" if j % 2 else str(30 + 3 * i)) for j, n in enumerate(names)],
            )
            for kind in ("worst", "typical")
            for i in range(4)
        ],
        importance=[
            Importance(
                column=each, value=0.08 / (i + 1) - 0.011, low=0.07 / (i + 1) - 0.014, high=0.09 / (i + 1) - 0.008
            )
            for i, each in enumerate(names)
        ],
        measure="AUC",
        cost="Each column was shuffled twice in 2,048 rows: 0.4 s, 8 % of the training.",
        responses=[
            Response(
                column="age",
                target="income",
                names=[">50K"],
                x=np.linspace(17, 90, 24).tolist(),
                y=[(0.1 + 0.3 * np.exp(-(((np.linspace(17, 90, 24) - 50) / 14) ** 2))).tolist()],
                edges=columns[0].edges,
                counts=columns[0].counts,
            ),
            Response(
                column="workclass",
                target="income",
                names=[">50K"],
                levels=columns[1].levels,
                y=[[0.21, 0.28, 0.29, 0.27, 0.1]],
                counts=columns[1].counts,
            ),
        ],
        columns=columns,
        column_count=8,
        layers=MLP,
        look=look(["hidden1", "activation1", "hidden2", "activation2", "output"]),
        losses=steps(1000),
        forks=[fork],
        versions={"python": "3.11.2"},
    )
    return replace(
        digits(),
        name="adult-3",
        data="adult.csv: 32,561 rows, 8 columns",
        target="income",
        level="warn",
        verdict=[
            "86.9 % of 6,513 test rows are told right (86.1 to 87.7 %), where the most frequent class would be right "
            "in 75.9 % and a linear model in 85.1 %.",
            "The learning rate was too large: with a tenth of it the same steps come to a smaller error.",
            "Next: train again with --learning-rate 0.1.",
        ],
        findings=[
            Told(
                rule="lr_too_large",
                level="warn",
                text="A learning rate of 1 kills units: 100% of those of activation2 are 0 on every row, and would "
                "live at a smaller rate.",
                proof="Tried from step 59 on, 99 steps, judged on 270 rows: the error is 0.063 in place of 0.215 "
                "(p = 1e-10).",
                remedy="Take a learning rate of 0.1.",
                command="preceptor fit adult.csv --target income --learning-rate 0.1",
                step=159,
            ),
            Told(
                rule="dead_units",
                level="warn",
                text="In activation2 12 of 64 units are 0 on every row.",
                step=900,
                layer="activation2",
                remedy="A smaller learning rate, or leaky-relu.",
            ),
            Told(
                rule="missing_telling",
                level="note",
                text="Column occupation is missing in 61 % of the rows; that it is missing is itself used.",
                when="gate",
                columns=["occupation", "age"],
            ),
        ],
        history=history(40, overfits=True),
        curve="The dev loss rises from epoch 22 on while the train loss falls: high variance.",
        figures=[
            (
                "",
                [
                    ["", "dev, 6,513 rows", "test, 6,513 rows"],
                    ["accuracy", "0.872 (0.864 to 0.880)", "0.869 (0.861 to 0.877)"],
                    ["log loss", "0.281 (0.270 to 0.292)", "0.287 (0.276 to 0.298)"],
                    ["f1", "0.70 (0.68 to 0.72)", "0.69 (0.67 to 0.71)"],
                    ["auc", "0.926 (0.920 to 0.932)", "0.924 (0.918 to 0.930)"],
                ],
            )
        ],
        evidence=evidence,
    )


def houses():
    """One number."""
    base = adult()
    evidence = Evidence(
        part="test",
        rows=4128,
        judgements=[judged_numbers("price")],
        importance=base.evidence.importance,
        measure="the mean absolute error",
        responses=[
            Response(
                column="rooms",
                target="price",
                names=["price"],
                x=np.linspace(1, 12, 20).tolist(),
                y=[(120_000 + 15_000 * np.linspace(1, 12, 20) ** 1.3).tolist()],
                edges=np.linspace(1, 12, 12).tolist(),
                counts=[5.0, 40, 200, 500, 700, 600, 300, 120, 60, 20, 10],
            )
        ],
        columns=base.evidence.columns,
        column_count=8,
        layers=MLP,
        look=base.evidence.look,
        losses=steps(300),
    )
    figures = [
        ["", "test, 4,128 rows"],
        ["mae", "31,240 (30,410 to 32,070)"],
        ["rmse", "47,900 (45,800 to 50,100)"],
        ["r2", "0.826 (0.811 to 0.841)"],
    ]
    return replace(
        base,
        name="houses-1",
        data="houses.csv",
        target="price",
        level="good",
        verdict=["Prices are off by 31,240 on average (30,410 to 32,070); a linear model is off by 49,900."],
        findings=[],
        history=history(40, "mae"),
        figures=[("", figures)],
        evidence=evidence,
    )


def pictures():
    """Classes of pictures, with saliency and filters."""
    rng = np.random.default_rng(7)
    base = adult()
    classes = ["aeroplane", "cat", "dog", "ship", "truck"]

    def drawn():
        y, x = np.mgrid[:32, :32] / 32
        return png(np.stack([127 + 120 * np.sin(a * x + b * y) for a, b in rng.uniform(-9, 9, (3, 2))], -1))

    evidence = Evidence(
        part="test",
        rows=1000,
        judgements=[judged_classes("class", classes, 1000, 0.93)],
        examples=[
            Example(
                kind=kind,
                target="class",
                row=5 + 40 * i,
                true=classes[i % 5],
                predicted=classes[(i + 1) % 5] if kind == "worst" else classes[i % 5],
                loss=3.0,
                probability=0.91,
                picture=drawn(),
                saliency=drawn(),
            )
            for kind in ("worst", "typical")
            for i in range(8)
        ],
        layers=[
            LayerShape(path="stem", kind="Convolution 3×3", shape=[32, 32, 16], parameters=448),
            LayerShape(path="norm", kind="BatchNorm", shape=[32, 32, 16], parameters=32),
            *[
                LayerShape(
                    path=f"block{i}",
                    kind="Residual",
                    shape=[32 >> i // 4, 32 >> i // 4, 16 << i // 4],
                    parameters=4672 << i,
                )
                for i in range(36)
            ],
            LayerShape(path="output", kind="Dense 5", shape=[5], parameters=645),
        ],
        filters=[png(rng.integers(0, 256, (3, 3, 3))) for _ in range(32)],
        look=look(["stem", *[f"block{i}" for i in range(8)]]),
        losses=steps(1000, 50),
    )
    return replace(
        base,
        name="cats-1",
        data="photos/",
        target="class",
        evidence=evidence,
        example="picture",
        level="good",
        findings=[],
    )


def several():
    """Two targets."""
    first, second = houses(), adult()
    evidence = Evidence(
        part="dev",
        rows=4128,
        judgements=[judged_numbers("price"), judged_classes("sold", ["no", "yes"], 4128, 0.9)],
        responses=[*first.evidence.responses, *[each for each in second.evidence.responses if not each.levels]],
        importance=second.evidence.importance,
        measure="the loss",
        columns=second.evidence.columns,
    )
    return replace(
        second,
        name="houses-2",
        data="houses.csv",
        target="price, sold",
        figures=[("price", first.figures[0][1]), ("sold", second.figures[0][1])],
        evidence=evidence,
        findings=second.findings[:1],
    )


def broken():
    """A loss that became no number in the second epoch; interrupted."""
    kept = [
        {"step": 10, "epoch": 1.0, "train_loss": 3.1, "dev_loss": 3.3e8, "objective": 4.0, "learning_rate": 10.0},
        {
            "step": 20,
            "epoch": 2.0,
            "train_loss": None,
            "dev_loss": float("nan"),
            "objective": None,
            "learning_rate": 10.0,
        },
    ]
    return Story(
        name="broken-1",
        data="houses.csv",
        target="price",
        verdict=["The loss is no number from step 11 on: what came of it predicts nothing."],
        level="bad",
        findings=[Told(rule="loss_not_finite", level="refuse", text="The loss became infinite.", step=11)],
        history=kept,
        evidence=Evidence(losses=Curve(x=[1.0, 2.0, 3.0], y=[1.0, None, None])),
    )


def old():
    """A run without evidence and without anything else."""
    return Story(name="old-1", data="old.csv", target="y", verdict=[], level="good")


NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><!--",
    "\u202eevil\u2028\x00\x1b[31m",
    "بيانات المبيعات السنوية",
    "👩‍👩‍👧‍👦 family 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "x" * 500,
    "a&b;c{}'`",
    "",
    "javascript:alert(1)",
)


def hostile():
    """Names that are markup, very long, invisible, written from right to left."""
    base = adult()
    found = base.evidence
    names = [NASTY[i % len(NASTY)] for i in range(len(found.columns))]
    paths = [each.path for each in found.look.signals]
    evidence = Evidence(
        part=NASTY[0],
        rows=10,
        judgements=[judged_classes(NASTY[1], list(NASTY), 500, 0.8)],
        examples=[
            Example(
                kind="worst",
                target=NASTY[1],
                row=1,
                true=NASTY[i],
                predicted=NASTY[-i],
                loss=1.0,
                values=[(NASTY[i], NASTY[-i])],
            )
            for i in range(len(NASTY))
        ],
        importance=[Importance(column=each, value=0.1, low=0.0, high=0.2) for each in names],
        measure=NASTY[0],
        cost=NASTY[2],
        responses=[
            Response(
                column=NASTY[1],
                target=NASTY[1],
                names=list(NASTY[:2]),
                levels=list(NASTY),
                y=[[0.1] * 10, [0.3] * 10],
                counts=[1.0] * 10,
            )
        ],
        columns=[
            Column(name=each, kind=NASTY[0], done=NASTY[1], levels=list(NASTY), counts=[1.0] * 10) for each in names
        ],
        layers=[LayerShape(path=each, kind=each, shape=[3], parameters=1) for each in NASTY],
        look=look(list(NASTY[:5]) + paths),
        losses=found.losses,
        forks=[Fork(rule=NASTY[0], without=found.forks[0].without, with_it=found.forks[0].with_it)],
        fingerprint=NASTY[0],
        versions={NASTY[0]: NASTY[1]},
    )
    return Story(
        name=NASTY[0],
        data=NASTY[3],
        target=NASTY[6],
        verdict=list(NASTY),
        level="bad",
        findings=[
            Told(
                rule=each,
                level="warn",
                text=each,
                proof=each,
                remedy=each,
                command=each,
                step=7,
                columns=names,
                layer=each,
            )
            for each in NASTY
        ],
        checked=NASTY,
        history=[{**each, f"dev_{NASTY[0]}": 0.5} for each in history(5)],
        curve=NASTY[2],
        figures=[(NASTY[1], [[NASTY[0], NASTY[1]], [NASTY[2], NASTY[4]]])],
        figures_note=NASTY[1],
        data_lines=NASTY,
        split=NASTY[0],
        network=NASTY,
        card=[(each, each) for each in NASTY],
        commands=[(each, each) for each in NASTY],
        evidence=evidence,
    )


def huge():
    """10,000 columns, 100 classes, 10,000 epochs."""
    base = adult()
    classes = [f"class number {i}" for i in range(100)]
    column = base.evidence.columns[0]
    evidence = Evidence(
        part="test",
        rows=20_000,
        judgements=[judged_classes("kind", classes, 20_000, 0.8)],
        columns=[
            Column(name=f"column {i}", kind="number", done=column.done, edges=column.edges, counts=column.counts)
            for i in range(10_000)
        ],
        column_count=10_000,
        importance=[Importance(column=f"column {i}", value=1 / (i + 1), low=0.0, high=2 / (i + 1)) for i in range(200)],
        layers=[LayerShape(path=f"layer{i}", kind="Dense", shape=[512], parameters=262_656) for i in range(500)],
        look=look([f"layer{i}" for i in range(500)]),
        losses=steps(1000, 10_000),
    )
    return replace(
        base, name="huge-1", target="kind", evidence=evidence, history=history(10_000), findings=base.findings * 20
    )


STORIES = {each.__name__: each for each in (digits, adult, houses, pictures, several, broken, old, hostile, huge)}
