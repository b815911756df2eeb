"""The lines of a training are functions of its steps and epochs alone, and bounded."""

from types import SimpleNamespace

import numpy as np
import pytest

from preceptor.writers.lines import MOST_POINTS, Lines, of_epochs


class Stepper:
    def rates(self, start, count):
        return 1.0 / (1.0 + np.arange(start, start + count))


def entry(epoch, steps):
    return {
        "step": epoch * steps,
        "epoch": float(epoch),
        "objective": 1.0 / epoch,
        "train_loss": 2.0 / epoch,
        "dev_loss": 3.0 / epoch,
        "dev_accuracy": 0.5,
        "learning_rate": 0.1,
        "seconds": 1.0,
    }


def told(steps, epochs, sizes, resumed=0):
    """The points of a training of so many steps an epoch whose records have, in turn, so many steps; of one that goes
    on after `resumed` steps those after it."""
    losses = np.sin(np.arange(steps * epochs))
    whole = [entry(epoch, steps) for epoch in range(1, resumed // steps + 1)]
    open_losses = losses[len(whole) * steps : resumed].tolist()
    fitting = SimpleNamespace(
        config=SimpleNamespace(batch_size=1, epochs=epochs),
        data=SimpleNamespace(rows=steps),
        progress=SimpleNamespace(history=whole, losses=open_losses),
    )
    lines, history, found, done, turn = Lines(fitting), [*whole], [], resumed, 0
    while done < steps * epochs:
        end = min(done + sizes[turn % len(sizes)], (done // steps + 1) * steps)
        turn += 1
        is_end = end % steps == 0
        record = SimpleNamespace(
            step=end,
            losses=losses[done:end],
            is_epoch_end=is_end,
            is_finite=True,
            stepper=Stepper(),
            learning_rate=0.5 / end,  # half of what the schedule says: a plateau's drop
        )
        if is_end:
            history.append(entry(end // steps, steps))
        found += lines.after(record, history)
        done = end
    return found + lines.last(history), losses


@pytest.mark.parametrize("steps, epochs", [(7, 3), (2000, 3), (10, 2500), (123, 40)])
def test_they_hang_on_steps_not_on_records(steps, epochs):
    whole, losses = told(steps, epochs, [steps])
    for sizes in ([1], [3, 1, 50], [997]):
        again, _ = told(steps, epochs, sizes)
        assert [each[:2] for each in map(tuple_of, again)] == [each[:2] for each in map(tuple_of, whole)]
        np.testing.assert_allclose([each.value for each in again], [each.value for each in whole], rtol=1e-12)
    objective = [each for each in whole if each.line == "loss/objective"]
    before = 0
    for each in objective:  # the mean of the steps since the point before, which may lie in an epoch that is left out
        block = losses[max(before, (each.step - 1) // steps * steps) : each.step]
        np.testing.assert_allclose(each.value, block.mean(), rtol=1e-12)
        before = each.step
    rate = {each.step: each.value for each in whole if each.line == "learning_rate"}
    np.testing.assert_allclose([*rate.values()], [0.5 / step for step in rate], rtol=1e-12)


def tuple_of(point):
    return point.line, point.step, point.value


@pytest.mark.parametrize("steps, epochs", [(7, 3), (2000, 3), (123, 40)])
@pytest.mark.parametrize("share", [0.1, 0.34, 0.5, 0.77])
def test_a_training_that_goes_on_tells_what_it_would_have_told(steps, epochs, share):
    resumed = int(steps * epochs * share)
    whole, _ = told(steps, epochs, [17])
    after, _ = told(steps, epochs, [17], resumed)
    assert [tuple_of(each) for each in after] == [tuple_of(each) for each in whole if each.step > resumed]


@pytest.mark.parametrize(
    "steps, epochs", [(1_000_000, 2), (1_000, 1), (1_001, 1), (334, 3), (1, 9_999), (3, 1_001), (10, 999)]
)
def test_their_number_is_bounded(steps, epochs):
    found, _ = told(steps, epochs, [100_000])
    for line in {each.line for each in found}:
        own = [each.step for each in found if each.line == line]
        assert own == sorted(set(own))
        assert min(steps * epochs, epochs, 500) <= len(own) <= 2 * MOST_POINTS + 1
        assert own[-1] == steps * epochs or line in ("loss/objective", "learning_rate")


def test_a_loss_that_is_none_is_told_where_the_training_ends():
    fitting = SimpleNamespace(
        config=SimpleNamespace(batch_size=1, epochs=1),
        data=SimpleNamespace(rows=4_000),
        progress=SimpleNamespace(history=[], losses=[]),
    )
    record = SimpleNamespace(
        step=2,
        losses=np.array([1.0, np.inf]),
        is_epoch_end=False,
        is_finite=False,
        stepper=Stepper(),
        learning_rate=0.5,
    )
    point = Lines(fitting).after(record, [])[0]
    assert (point.line, point.step, point.value) == ("loss/objective", 2, np.inf)


def test_of_a_long_history_every_so_manieth_epoch_is_told_and_the_last():
    found = of_epochs([entry(epoch, 5) for epoch in range(1, 3_002)])
    steps = [each.step for each in found if each.line == "loss/dev"]
    assert len(steps) <= MOST_POINTS + 1
    assert steps[-1] == 15_005
    assert {each.line for each in found} == {
        "loss/objective",
        "learning_rate",
        "loss/train",
        "loss/dev",
        "dev/accuracy",
    }
    assert of_epochs([]) == []
