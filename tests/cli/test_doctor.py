"""`preceptor fit` under watch, `diagnose` and `explain-rule`, as a user sees them."""

import json

from preceptor import fit, load
from preceptor.cli.diagnose import known_of
from preceptor.diagnose import RULES
from preceptor.job.command import altered_command, of_training
from preceptor.job.settings import make_settings
from preceptor.train.checkpoint import Checkpoints

SICK = ("fit", "digits", "--hidden", "64,64", "--learning-rate", "0.3", "--schedule", "constant", "--epochs", "30")


def test_a_sick_training_is_told_in_three_lines_and_kept_in_the_run(preceptor, here):
    answer = preceptor(*SICK, "--out", "sick")
    lines = answer.out.splitlines()
    first = next(number for number, each in enumerate(lines) if each.startswith("warning"))
    assert "lr_too_large: " in lines[first] or "dead_relu: " in lines[first]
    assert "Tried from the first weights on" in lines[first + 1]
    assert "in place of" in lines[first + 1]
    command = "preceptor fit digits --hidden 64,64 --schedule constant --epochs 30 --learning-rate 0.03"
    assert lines[first + 2].endswith(f"Take a learning rate of 0.03: {command}")
    assert any(each.startswith("watched") and "rules looked on" in each for each in lines)

    found = load("sick").findings
    alarm = next(each for each in found if each["level"] == "warn")
    assert alarm["remedies"][0]["settings"] == {"learning_rate": 0.03}
    assert alarm["proof"]["with_it"] < alarm["proof"]["without"]
    told = preceptor("diagnose", "sick", "--json")
    assert json.loads(told.out.splitlines()[-1])["findings"] == found
    assert lines[first] in told.out


def test_what_is_to_be_ignored_is_not_looked_at_and_said(preceptor, here):
    answer = preceptor(*SICK, "--ignore", "lr_too_large,lr_too_small")
    assert "warning   lr_too_large" not in answer.out
    assert "not looked at: lr_too_large, lr_too_small" in answer.out
    assert "one of" in preceptor("fit", "digits", "--ignore", "nonsense").err


def test_a_check_ignores_too(preceptor, here):
    (here / "t.csv").write_text("a,b,c\n" + "".join(f"{i},{i % 7},{i % 2}\n" for i in range(50)))
    before, after = preceptor("check", "t.csv"), preceptor("check", "t.csv", "--ignore", "identifier")
    assert "identifier" not in after.out.replace("not looked at: identifier", "")
    assert len(after.out.splitlines()) <= len(before.out.splitlines())


def test_a_good_training_says_what_was_looked_for(preceptor, here):
    answer = preceptor("fit", "iris")
    assert "warning" not in answer.out
    assert "rules looked on; nothing found. What each looks for: preceptor explain-rule." in answer.out
    assert "\ncurve     Looks good. Train error " in answer.out
    assert "\ncurve     Looks good. Train error " in preceptor("diagnose", "runs/iris-1").out


def test_every_rule_is_explained(preceptor):
    names = preceptor("explain-rule").out
    for rule in RULES:
        for name in rule.names:
            assert f"\n{name} " in f"\n{names}"
        told = preceptor("explain-rule", rule.names[0]).out
        for heading in ("rule", "detects", "why", "evidence", "remedy", "wrong if", "source"):
            assert f"\n{heading:<9} " in f"\n{told}", (rule, heading)
    assert "Did you mean" in preceptor("explain-rule", "dead_rel").err


def test_what_is_no_run_is_refused(preceptor, here):
    answer = preceptor("diagnose", ".")
    assert answer.code == 2
    assert "this is no run folder" in answer.err


def test_a_run_that_ends_while_it_is_looked_at_is_a_finished_one(here, monkeypatch):
    run, latest = here / "run", Checkpoints.latest
    fit("iris", out=run, hidden=(4,), epochs=1)
    (run / "config.json").rename(here / "config.json")
    (run / "plan.json").write_text("{}")

    def ends(checkpoints):
        (here / "config.json").rename(run / "config.json")
        (run / "plan.json").unlink()
        return latest(checkpoints)

    monkeypatch.setattr(Checkpoints, "latest", ends)
    assert known_of(run)[1].startswith("All epochs done")


def test_a_mending_is_told_as_it_goes_on_and_at_the_end(preceptor, here):
    sick = (*SICK[:3], "64,64", "--learning-rate", "1", "--schedule", "constant", "--epochs", "10")
    answer = preceptor(*sick, "--mend", "--json", "--out", "run")
    lines = answer.out.splitlines()
    at = lines.index("mending   learning rate 1 → 0.1, as lr_too_large was proved")
    assert lines[at + 1] == "          training anew from the first weights, 2 of at most 3"
    assert lines[at + 2].startswith("training  adam, rate 0.1 constant")
    assert "Take a learning rate of 0.1." in answer.out  # no command: it is done
    table = lines[next(n for n, each in enumerate(lines) if each.startswith("mended ")) :][:6]
    assert [" ".join(each.split()[:2]) for each in table[1:4]] == ["training 1", "training 2", "training 3"]
    assert ["(kept)" in each for each in table[1:4]] == [False, False, True]
    command = "preceptor fit digits --hidden 64,64 --schedule constant --epochs 10 --learning-rate 0.01"
    assert table[5] == f"          From the start: {command}"
    told = json.loads(lines[-1])["mended"]
    assert (told["kept"], told["changes"], told["command"]) == (3, {"learning_rate": 0.01}, command)
    assert [each["rule"] for each in told["why"]] == ["lr_too_large", "lr_too_large"]
    for again in ("show", "diagnose"):
        assert "\n".join(table) in preceptor(again, "run").out
    assert json.loads(preceptor("diagnose", "run", "--json").out.splitlines()[-1])["mended"] == told
    preceptor(*command.split()[1:], "--out", "plain")
    assert (here / "plain/model.safetensors").read_bytes() == (here / "run/model.safetensors").read_bytes()


def test_where_nothing_is_to_be_mended_one_line_says_so(preceptor, here):
    answer = preceptor("fit", "iris", "--mend")
    assert "\nmended    Nothing to mend: nothing was found whose remedy is a matter of settings.\n" in answer.out
    assert answer.code == 0
    assert "mended" not in preceptor("fit", "iris").out


def test_a_mending_that_cannot_be_is_refused_before_training(preceptor, here):
    answer = preceptor("fit", "iris", "--hidden", "8", "--dev-share", "0", "--mend")
    assert answer.code == 2
    assert "received mend without rows that judge" in answer.err
    assert not list(here.iterdir())
    answer = preceptor("fit", "--resume", "run", "--mend")
    assert "--mend beside --resume" in answer.err


def test_a_command_that_settings_cannot_say_is_not_printed():
    asked = make_settings({"optimiser": "momentum", "momentum": 0.8})
    words = ["fit", "iris", "--optimiser=momentum", "--momentum", "0.8", "--mend", "--out", "a b"]
    assert of_training(words) == words[:5]
    assert altered_command(words[:5], asked, {"optimiser": "adam"}) == "preceptor fit iris --optimiser adam"
    assert altered_command(words[:5], asked, {"optimiser": "nothing"}) == ""
    for given in (["--minutes", "2"], ["--minutes=2"]):
        assert (
            altered_command(["fit", "iris", *given], make_settings({}), {"epochs": 9})
            == "preceptor fit iris --epochs 9"
        )
