"""Searches that are made up, as pages and words need them."""

import math

import numpy as np

from preceptor.tuning.record import Candidate, Choice, Dimension, Found, Saving, Trial

SPACE = [
    Dimension(
        name="learning_rate", low=1e-4, high=0.1, is_log=True, unit="per step", source="Bengio 2012, section 3.1"
    ),
    Dimension(name="l2", low=1e-6, high=1e-1, is_log=True, unit="", source="measured"),
    Dimension(name="depth", low=1, high=4, is_whole=True, unit="layers"),
    Dimension(name="activation", choices=("relu", "gelu", "tanh"), usual="relu"),
    Dimension(name="momentum", low=0.0, high=0.99, when="optimiser is momentum", unit="share kept per step"),
    Dimension(name="batch_size", low=16, high=512, is_log=True, is_whole=True, unit="rows"),
]
OPTIMISERS = ("adam-w", "momentum")
NASTY = ("<script>alert(1)</script>", "a\u202eb\x1b[31m", "]]>--><!--", "x" * 300)


def settings_at(point):
    rate, l2, depth, activation, momentum, batch, optimiser = point
    found = {
        "learning_rate": 1e-4 * 1000**rate,
        "l2": 1e-6 * 1e5**l2,
        "hidden": [64] * (1 + min(int(depth * 4), 3)),
        "activation": ("relu", "gelu", "tanh")[min(int(activation * 3), 2)],
        "optimiser": OPTIMISERS[int(optimiser >= 0.5)],
        "batch_size": round(16 * 32**batch),
    }
    return found | ({"momentum": 0.99 * momentum} if optimiser >= 0.5 else {})


def cost_at(point, rng):
    rate, l2, depth, activation, _, batch, _ = point
    bowl = 3 * (rate - 0.62) ** 2 + 0.25 * (l2 - 0.4) ** 2 + 0.03 * (activation > 0.66) + 0.05 * (batch - 0.3) ** 2
    return 0.12 + bowl + 0.02 * depth + 0.01 * rng.normal()


def curve_of(last, epochs, rng):
    start = 2.3
    return [
        (at, last + (start - last) * math.exp(-3.0 * at / 20) + 0.004 * rng.normal()) for at in range(1, epochs + 1)
    ]


def found_of(count=64, seed=0, epochs=20, *, is_high_better=False, repeats=5, pruned=True):
    """A search of the default and `count - 1` others, with successive halving and some that fail."""
    rng = np.random.default_rng(seed)
    trials = []
    sign = -1 if is_high_better else 1
    for number in range(count):
        point = tuple(rng.random(7).round(6).tolist()) if number else ()
        at = point or (0.5, 0.5, 0.3, 0.0, 0.0, 0.4, 0.0)
        cost = cost_at(at, rng)
        common = {"number": number, "round": int(number > 0), "point": point}
        common |= {"settings": settings_at(at) if number else {}, "parameters": 5000 + 4000 * int(4 * at[2])}
        if number and at[0] > 0.95:
            why = "the loss became infinite in epoch 2."
            trials.append(
                Trial(state="failed", epochs=1, error=why, curve=[(1, 5.0), (2, None)], seconds=0.2, **common)
            )
            continue
        keep = epochs if not pruned or number % 4 == 0 or cost < 0.2 else 5 if number % 2 else 10
        whole = curve_of(cost, keep, rng)
        if is_high_better:
            whole = [(at, value - 1.2) for at, value in whole]
        best = min(value for _, value in whole)
        trials.append(
            Trial(
                state="done" if keep == epochs else "paused",
                epochs=keep,
                curve=whole,
                best=best,
                best_epoch=keep,
                score=sign * best,
                seconds=0.05 * keep,
                **common,
            )
        )
    done = sorted((each for each in trials if each.state == "done"), key=lambda each: (each.best, each.number))
    best = done[0]
    finalists = [trials[0], *[each for each in done if each.number][:4]]
    shifts = 0.02 * rng.normal(size=repeats)
    candidates = []
    for each in finalists:
        costs = [each.best + shift + 0.01 * float(rng.normal()) for shift in shifts.tolist()]
        base = candidates[0].repeats if candidates else costs
        gains = [b - c for b, c in zip(base, costs, strict=True)]
        error = float(np.std(gains, ddof=1) / math.sqrt(repeats)) if each.number and repeats > 1 else 0.0
        candidates.append(Candidate(number=each.number, gain=float(np.mean(gains)), error=error, repeats=costs))
    kept = max(candidates, key=lambda each: each.gain).number
    made = sum(each.epochs for each in trials)
    return Found(
        data="digits",
        targets=["digit"],
        rows=1797,
        seed=seed,
        figure="accuracy" if is_high_better else "dev loss",
        is_high_better=is_high_better,
        asked={"model": "mlp", "folds": 0},
        sampler="random",
        pruner="halving:rungs=5,10" if pruned else "",
        space=[*SPACE, Dimension(name="optimiser", choices=OPTIMISERS)],
        trials=trials,
        epochs=epochs,
        workers=2,
        seconds=83.2,
        outcome="All trials were made.",
        notes=["The best learning rates lie near the upper end: --space learning_rate=0.0001..1:log widens it."],
        choice=Choice(
            kept=kept,
            best=best.number,
            why=f"Trial {kept} is the best over {repeats} divisions; none within one standard error is simpler.",
            candidates=candidates,
        ),
        saving=Saving(epochs=made, asked=epochs * count, regret=0.002),
        dev={"accuracy": 0.981, "accuracy_low": 0.97, "accuracy_high": 0.99, "accuracy_rows": 270},
        test={
            "accuracy": 0.9722, "accuracy_low": 0.945, "accuracy_high": 0.986, "accuracy_rows": 180,
            "log_loss": 0.101, "log_loss_low": 0.06, "log_loss_high": 0.142, "log_loss_rows": 180,
        },
        command="preceptor fit digits --learning-rate 0.0072 --l2 0.0001 --hidden 64,64 --activation relu",
        words="preceptor search digits --trials 64 --epochs 20 --seed 0",
    )  # fmt: skip


def under_way():
    """A search of which nothing is chosen."""
    found = found_of(12, pruned=False)
    found.choice, found.saving, found.dev, found.test, found.command = None, None, {}, {}, ""
    found.outcome = "It is under way."
    return found


def only_default():
    """Nothing but the default."""
    found = found_of(1, repeats=1)
    found.choice = Choice(kept=0, best=0, why="Nothing else was tried.")
    return found


def all_failed():
    """No trial came to a result."""
    found = under_way()
    found.trials = [
        Trial(
            number=at, round=0, point=(0.5,) * 7 if at else (), settings={}, state="failed", error=f"it broke: {at % 3}"
        )
        for at in range(9)
    ]
    return found


def hostile():
    """Names and words that would be markup."""
    found = found_of(40)
    found.data, found.targets = NASTY[0], list(NASTY[1:])
    found.notes = list(NASTY)
    found.space = [*found.space[:3], Dimension(name="own<b>", choices=NASTY), *found.space[4:]]
    found.trials = [
        Trial(
            **{name: getattr(each, name) for name in each.__struct_fields__}
            | {"settings": {NASTY[0]: NASTY[2]}, "error": NASTY[0] if each.error else ""}
        )
        for each in found.trials
    ]
    return found


def packed():
    """Several trials that are averaged."""
    found = found_of(48, seed=3, is_high_better=True)
    numbers = [each.number for each in found.choice.candidates[1:4]]
    found.choice = Choice(
        kept=numbers[0],
        best=found.choice.best,
        why="Three trials together are better than each alone.",
        candidates=found.choice.candidates,
        packed=dict(zip(numbers, (0.5, 0.3, 0.2), strict=True)),
        gain=0.012,
        error=0.004,
    )
    return found


FOUNDS = {
    "digits": found_of,
    "higher": lambda: found_of(is_high_better=True, seed=1),
    "under way": under_way,
    "only default": only_default,
    "all failed": all_failed,
    "hostile": hostile,
    "packed": packed,
    "many": lambda: found_of(2000),
}
