import numpy as np

STEPS, PER_EPOCH, RATE, EPOCHS = 600, 20, 0.5, 30


def test_rates_are_those_of_the_formulas(found):
    rates = found("schedules").rates
    step = np.arange(STEPS)
    t, share = step / PER_EPOCH, step / STEPS
    cosine = RATE * (1 + np.cos(np.pi * share)) / 2
    expected = {
        "constant": np.full(STEPS, RATE),
        "step": RATE * 0.5 ** np.floor(t / 6),
        "milestones": RATE * 0.1 ** ((t >= 9).astype(int) + (t >= 18) + (t >= 27)),
        "exponential": RATE * np.exp(-0.1 * t),
        "1/t": RATE / (1 + 0.1 * t),
        "cosine": cosine,
        "warm-up, then cosine": cosine * np.minimum(1, (step + 1) / 120),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(rates[name], values, rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_plateau_halves_the_rate_after_two_epochs_without_a_lower_dev_loss(found):
    figures = found("schedules")
    rates, lowest, waited, rate = figures.rates["on plateau"], np.inf, 0, RATE
    for epoch, loss in enumerate(figures.dev_losses["on plateau"]):
        np.testing.assert_allclose(rates[epoch * PER_EPOCH : (epoch + 1) * PER_EPOCH], rate, rtol=1e-6)
        waited = 0 if loss < lowest else waited + 1
        lowest = min(lowest, loss)
        if waited == 2:
            rate, waited = rate / 2, 0
    assert rate < RATE


def test_one_cycle_rises_and_falls_along_half_a_cosine(found):
    share = np.arange(STEPS) / STEPS
    up = RATE / 25 + (RATE - RATE / 25) * (1 - np.cos(np.pi * share / 0.3)) / 2
    down = RATE * (1 + np.cos(np.pi * (share - 0.3) / 0.7)) / 2
    np.testing.assert_allclose(
        found("schedules").rates["one cycle"], np.where(share < 0.3, up, down), rtol=1e-6, atol=1e-9
    )
