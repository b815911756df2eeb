"""TrainCheck on a run of the doctor's bench: invariants of a healthy run, checked on another.

As its documentation says, in four programs: a trace of a healthy script, the invariants that hold in it, a trace of the
script to be checked, and what of them is violated there. The healthy script is the run's best known fix, with another
seed, so that it is not the same run where there is nothing to fix. Both scripts are written out as one writes a
training in PyTorch, and make the first STEPS steps; of those of the checked one TrainCheck by default traces ten, then
every tenth. Tracing, inferring and checking so few takes a minute or two.

A violation is an alarm. The healthy script itself violates some of its invariants when it is checked so, for the
checked trace is taken otherwise than the first, and others hang on how a script begins: a violation is strict if it is
first seen in a step and is not one of the healthy script's. Its rule is the sort of thing that the invariant is about.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from doctor_against_torch import translated
from zoo_cases import Ready

STEPS = 12
SORTS = [  # the first that is found in the text of an invariant
    ("Parameter.data", r"Parameter\.data"),
    ("Parameter.grad", r"Parameter\.grad"),
    ("Parameter", r"Parameter"),
    ("loss", r"(?i)loss|cross_entropy|nll|one_hot|log_softmax"),
    ("optimizer", r"(?i)optim|\bSGD|\bsgd|\bAdam|adam|RMSprop|Adagrad|Adadelta|clip_grad"),
    ("activation", r"(?i)relu|sigmoid|tanh|softmax|\belu|selu|softplus|softsign|Exponential"),
    ("layer", r"(?i)Linear|Conv|BatchNorm|Dropout|MaxPool|Flatten|batch_norm"),
    ("other", ""),
]
USED = ("lr", "momentum", "nesterov", "betas", "eps", "alpha", "rho", "maximize", "momentum_decay")


def checked(ready: Ready, twin: Ready, cache: Path) -> dict[str, Any]:
    """The violations in a run of the invariants of its twin.

    Args:
        cache: a file that keeps the invariants of this twin.
    Raises: Refused where one of them cannot be translated; RuntimeError where TrainCheck ends in an error.
    """
    if not cache.is_file():
        _script(twin, "reference")
        _call("collect", "--pyscript", "reference.py", "--models-to-track", "model", "--output-dir", "reference_trace")
        _call("infer", "-f", "reference_trace", "-o", "invariants.json")
        usual = [each["display_name"] for each in _violations("reference")]
        cache.parent.mkdir(parents=True, exist_ok=True)
        whole = Path(f"{cache}.{os.getpid()}")  # moved when it is whole: two may write it at once
        whole.write_text(json.dumps({"invariants": Path("invariants.json").read_text(), "usual": usual}))
        whole.replace(cache)
    known = json.loads(cache.read_text())
    Path("invariants.json").write_text(known["invariants"])
    _script(ready, "target")
    violations = _violations("target")
    found = [
        {
            "rule": next(sort for sort, pattern in SORTS if re.search(pattern, each["display_name"])),
            "level": "strict" if each["first_step"] and each["display_name"] not in known["usual"] else "alarm",
            "layers": [],
            "step": each["first_step"],
            "text": each["display_name"][:120],
        }
        for each in violations
    ]
    found.sort(key=lambda each: each["step"] or 0)
    first = {(each["rule"], each["level"]): each for each in reversed(found)}  # one of a sort
    return {"findings": sorted(first.values(), key=lambda each: each["step"] or 0), "violations": len(violations)}


def _violations(name: str) -> list[dict]:
    """What of the invariants is violated by a script."""
    own = ("--pyscript", f"{name}.py", "--models-to-track", "model", "--output-dir", f"{name}_checked")
    _call("collect", *own, "--invariants", "invariants.json")
    _call("check", "-f", f"{name}_checked", "-i", "invariants.json", "-o", f"{name}_results", "--no-html-report")
    (summary,) = Path(f"{name}_results").glob("*/violations_summary.json")
    return json.loads(summary.read_text())["violations"]


def _call(program: str, *arguments: str) -> None:
    command = shutil.which(f"traincheck-{program}", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    started = [command or f"traincheck-{program}", *arguments]
    process = subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output = process.communicate()[0]
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)  # with the script that it runs
        process.wait()
        raise
    if process.returncode:
        raise RuntimeError(f"traincheck-{program}: {output.decode(errors='replace')[-250:]}")


def _script(ready: Ready, name: str) -> None:
    """Writes the training as a script, its network and rows beside it."""
    training = translated(ready.case)
    config, steps = ready.case.config, min(STEPS, training.steps)
    rates = [training.rate(step) for step in range(steps)]
    weight = torch.ones(len(training.x)) if training.weight is None else training.weight
    parts = {
        "model": training.model,
        "rows": [(training.x[rows], training.y[rows], weight[rows]) for rows in map(training.rows, range(steps))],
        "loss": config.loss,
    }
    torch.save(parts, f"{name}.pt")
    optimiser = training.optimiser
    given = {key: value for key, value in optimiser.defaults.items() if key in USED}
    numbers = ", ".join(f"{key}={value!r}" for key, value in given.items())
    trained = "model.parameters()"
    if not all(p.requires_grad for p in training.model.parameters()):
        trained = "[p for p in model.parameters() if p.requires_grad]"
    update, body = config.update, []
    if len(set(rates)) > 1:
        body.append("optimizer.param_groups[0]['lr'] = rates[step]")
    body += ["optimizer.zero_grad()", "inputs, targets, weight = rows[step]"]
    body.append("loss = (criterion(model(inputs), targets) * weight).mean()")
    for penalty in config.penalties:
        cost = "p.abs().sum()" if type(penalty).__name__ == "L1" else "0.5 * (p * p).sum()"
        body.append(f"loss = loss + {penalty.weight!r} * sum({cost} for p in model.parameters() if p.ndim > 1)")
    body.append("loss.backward()")
    if update.clip_norm is not None:
        body.append(f"torch.nn.utils.clip_grad_norm_(model.parameters(), {update.clip_norm!r})")
    body.append("optimizer.step()")
    lines = [
        "import sys",
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})",
        "import torch",
        "from doctor_against_torch import criterion_of",
        f"parts = torch.load({str(Path(name).absolute()) + '.pt'!r}, weights_only=False)",
        "rows = parts['rows']",
        f"rates = {rates!r}",
        "criterion = criterion_of(parts['loss'])",
        "model = parts['model']",
        f"optimizer = torch.optim.{type(optimiser).__name__}({trained}, {numbers})",
        f"for step in range({steps}):",
        *(f"    {line}" for line in body),
    ]
    Path(f"{name}.py").write_text("\n".join(lines) + "\n")
