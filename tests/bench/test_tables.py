"""bench/tables.py: its figures against scikit-learn's and worked out by hand, what it divides, keeps and tells."""

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

BENCH = Path(__file__).parents[2] / "bench"
PARTS = ("tables", "table_data", "table_figures", "table_worker")


@pytest.fixture
def parts(monkeypatch):
    """The scripts by name."""
    monkeypatch.syspath_prepend(str(BENCH))
    return {name: importlib.import_module(name) for name in PARTS}


@pytest.fixture
def data(parts):
    return parts["table_data"]


@pytest.fixture
def figures(parts):
    return parts["table_figures"]


@pytest.fixture
def folder(tmp_path):
    """An index of two small tables, one of classes that its word tells, and one of numbers without a header."""
    rng = np.random.default_rng(0)
    word = rng.choice(np.array(["low", "mid", "high"], object), 120)
    frame = pd.DataFrame({"id": np.arange(120), "x": rng.normal(size=120).round(3), "word": word})
    frame["y"] = np.where(word == "mid", "1.0", "0.0")
    frame = frame.astype(object)
    frame.loc[[3, 4], "x"], frame.loc[[7, 8, 9], "y"] = "?", ["", " NA", "?"]
    frame.to_csv(tmp_path / "words.csv", index=False)
    x = rng.normal(size=(80, 2))
    pd.DataFrame(np.column_stack([x, x @ [2, 1]])).to_csv(tmp_path / "sums.csv", index=False, header=False)
    index = {
        "words": {"file": "words.csv", "target": "y", "kind": "classes", "leave_out": ["id"]},
        "sums": {"file": "sums.csv", "header": False, "target": "column3", "kind": "number"},
    }
    (tmp_path / "tables.json").write_text(json.dumps(index))
    return tmp_path


def test_figures_of_classes_are_those_of_scikit_learn(figures):
    rng = np.random.default_rng(1)
    names = np.array(["a", "b", "c"])
    given, truth = rng.dirichlet([1, 1, 1], 50), rng.choice(names, 50)
    given[0] = [1, 0, 0]
    truth[0] = "b"  # a probability of 0 for what is right
    found = figures.figures_of_classes(truth, names[given.argmax(1)], dict(zip(names, given.T, strict=True)))
    assert found["score"] == metrics.accuracy_score(truth, names[given.argmax(1)])
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, given, labels=names), rel=1e-12)


def test_a_class_without_a_column_was_given_nothing(figures):
    found = figures.figures_of_classes(np.array(["a", "z"]), np.array(["a", "a"]), {"a": np.ones(2)})
    assert found["score"] == 0.5
    assert found["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_figures_of_numbers_are_those_of_scikit_learn(figures):
    truth, given = np.random.default_rng(2).normal(size=(2, 40))
    found = figures.figures_of_numbers(truth, given)
    assert found["score"] == pytest.approx(metrics.r2_score(truth, given))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, given))


def test_ranks_and_normalised_scores_by_hand(figures):
    scores = np.array([[0.9, 0.5], [0.8, 0.5], [0.7, 0.5], [0.9, 0.1]])
    np.testing.assert_allclose(figures.ranks(scores), [[1.5, 2], [3, 2], [4, 2], [1.5, 4]])
    np.testing.assert_allclose(figures.normalised(scores), [[1, 1], [0.5, 1], [0, 1], [1, 0]])
    np.testing.assert_array_equal(figures.normalised(np.full((3, 1), 0.4)), np.ones((3, 1)))


def test_the_paired_interval_by_hand(figures):
    """Differences 1, 2, 3 have s = 1; t(0.975, 2) = 4.302653; sqrt(1/3 + 25/75) = 0.816497."""
    assert figures.paired(np.array([1.0, 2, 3]), 25, 75) == pytest.approx((2 - 3.513102, 2 + 3.513102), abs=1e-5)
    assert figures.paired(np.array([1.0]), 25, 75) is None
    ends = [figures.verdict(np.array(each), 25, 75) for each in ([1.0, 2, 3], [9.0, 10, 11], [-9.0, -10, -11], [0.1])]
    assert ends == [0, 1, -1, 1]


def test_elo_by_hand(figures):
    """Three of four won is 400 log10(3) more; odds of 2, 2 and 4 are 400 log10(2) a step."""
    won = figures.battles(np.array([[1.0, 1, 1, 0], [0, 0, 0, 1]]))
    assert won.tolist() == [[0, 0.75], [0.25, 0]]
    np.testing.assert_allclose(figures.elo(won, 1), [1000 + 400 * np.log10(3), 1000], atol=1e-2)
    won = np.array([[0, 2 / 3, 4 / 5], [1 / 3, 0, 2 / 3], [1 / 5, 1 / 3, 0]])
    np.testing.assert_allclose(figures.elo(won, 0), 1000 - 400 * np.log10(2) * np.arange(3), atol=1e-2)


def test_elo_is_a_logistic_regression_over_the_battles(figures):
    won = np.random.default_rng(3).uniform(size=(4, 4))
    np.fill_diagonal(won, 0)
    first, second = np.nonzero(~np.eye(4, dtype=bool))
    x = np.eye(4)[first] - np.eye(4)[second]
    # Each battle from both sides, for the regression needs both outcomes.
    model = LogisticRegression(C=1e8, fit_intercept=False, tol=1e-12, max_iter=10_000)
    model.fit(np.vstack([x, -x]), np.repeat([1, 0], len(x)), np.tile(won[first, second], 2))
    strength = model.coef_[0]
    expected = 1000 + 400 / np.log(10) * (strength - strength[2])
    np.testing.assert_allclose(figures.elo(won, 2), expected, atol=1e-2)


def test_who_always_wins_has_a_finite_rating(figures):
    found = figures.elo(np.array([[0.0, 9], [0, 0]]), 1)
    assert np.isfinite(found).all()
    assert found[0] > 2000


def test_the_sum_over_tables_by_hand(figures):
    scores = {
        "one": {"preceptor": np.array([0.9, 0.9, 0.9]), "hgb": np.array([0.8, 0.8, 0.8])},
        "two": {"preceptor": np.array([0.1, 0.1, 0.4]), "hgb": np.array([0.2, 0.2, 0.2])},
        "three": {"preceptor": np.array([0.5, 0.5, 0.5]), "hgb": np.array([0.5, 0.5, 0.5])},
    }
    found = figures.summary(scores, dict.fromkeys(scores, (75, 25)), ["preceptor", "hgb"], "hgb")
    own, peer = found["contestants"]["preceptor"], found["contestants"]["hgb"]
    assert own["rank"]["value"] == pytest.approx((1 + 5 / 3 + 1.5) / 3)
    assert own["normalised"]["value"] == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert peer["elo"] == {"value": 1000, "low": 1000, "high": 1000}
    against = found["against"]["hgb"]
    assert [against[word] for word in ("wins", "ties", "losses")] == [1, 2, 0]
    assert against["share_won"]["value"] == pytest.approx((1 + 1 / 3 + 1 / 2) / 3)
    assert against["difference"]["value"] == pytest.approx((0.1 + 0 + 0) / 3)
    assert against["difference"]["low"] <= 0.1 / 3 <= against["difference"]["high"]
    # (1 + 1/3 + 1/2) of 3 battles won.
    assert own["elo"]["value"] == pytest.approx(1000 + 400 * np.log10(11 / 7), abs=1e-2)


def test_a_table_as_it_is_read(data, folder):
    index = data.read_index(folder)
    words = data.load("words", index)
    assert list(words.frame) == ["x", "word", "y"]
    assert len(words.frame) == 117  # three targets are missing
    assert (words.frame["x"] == "?").sum() == 2
    assert set(words.labels) == {"0", "1"}
    sums = data.load("sums", index)
    assert list(sums.frame) == ["column1", "column2", "column3"]
    assert sums.labels.dtype == float
    assert data.load("iris", index).kind == "classes"
    assert data.load("diabetes", index).kind == "number"
    few = data.load("words", index, 60)
    assert len(few.frame) == 60
    assert few.digest != words.digest
    share = [np.mean(each.labels == "1") for each in (few, words)]
    assert share[0] == pytest.approx(share[1], abs=1 / 60)


def test_a_division_keeps_the_shares_of_the_classes(data, folder):
    table = data.load("words", data.read_index(folder))
    seen = set()
    for split in range(3):
        train, rows = data.divide(table, split)
        assert sorted([*train, *rows]) == list(range(117))
        for each in ("0", "1"):
            there = np.mean(table.labels == each) * 117 / 4
            assert abs(np.sum(table.labels[rows] == each) - there) <= 1
        np.testing.assert_array_equal(rows, data.divide(table, split)[1])
        seen.add(tuple(rows))
    assert len(seen) == 3


def test_groups_are_whole_tables(data):
    groups = json.loads(data.GROUPS.read_text())
    assert not set(groups["choose"]) & set(groups["report"])
    index = {name: {} for name in (*groups["choose"], *groups["report"], "another")}
    assert data.choose(index, [], "report") == groups["report"]
    assert data.choose(index, ["iris", "wage"], "choose") == ["iris"]


def test_mistakes_are_told(data, folder):
    index = data.read_index(folder)
    with pytest.raises(data.Mistake, match="no table nowhere"):
        data.choose(index, ["nowhere"], None)
    with pytest.raises(data.Mistake, match="none of the tables is in 'report'"):
        data.choose(index, [], "report")
    index["words"]["leave_out"] = ["nothing"]
    with pytest.raises(data.Mistake, match="no column 'nothing'"):
        data.load("words", index)
    (folder / "tables.json").write_text('{"words": {"file": "words.csv"}}')
    with pytest.raises(data.Mistake, match=r"words in .* has no kind, target"):
        data.read_index(folder)


@pytest.mark.parametrize("peer", ["sklearn-mlp", "hgb"])
def test_peers_learn_from_words_and_meet_new_ones(parts, peer, tmp_path):
    rng = np.random.default_rng(4)
    word = rng.choice(np.array(["low", "mid", "high"], object), 300)
    frame = pd.DataFrame({"x": rng.normal(size=300), "word": word, "yes": rng.uniform(size=300) > 0.5})
    frame["name"], frame["empty"] = [f"n{each}" for each in range(300)], ""
    frame.loc[::9, "x"] = np.nan
    frame[" y"] = np.where(word == "mid", "NAB", "rest")
    frame[:200].to_csv(tmp_path / "train.csv", index=False)
    rows = frame[200:].drop(columns=" y").reset_index(drop=True)
    rows.loc[0, "word"], rows.loc[1, "word"] = "never seen", ""
    rows.to_csv(tmp_path / "rows.csv", index=False)
    with threadpool_limits(1):  # its threads wait in circles where the cores have other work
        seconds = parts["table_worker"].measure(peer, tmp_path, " y", "classes", 0, 1)
    assert set(seconds) == {"fit_seconds", "predict_seconds"}
    found = pd.read_csv(tmp_path / "predictions.csv")
    assert list(found) == ["prediction", "probability_NAB", "probability_rest"]
    np.testing.assert_allclose(found["probability_NAB"] + found["probability_rest"], 1, atol=1e-6)
    assert np.mean(found["prediction"][2:] == frame[" y"][202:].to_numpy()) >= 0.95


def test_boosted_trees_are_given_categories(parts, tmp_path):
    """The same probabilities as scikit-learn's own with the columns named as categories."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"x": rng.normal(size=200), "word": rng.choice(np.array(list("abcdef"), object), 200)})
    frame["y"] = np.where((frame["word"].isin(list("ace"))) ^ (rng.uniform(size=200) < 0.2), "p", "q")
    frame[:150].to_csv(tmp_path / "train.csv", index=False)
    frame[150:].drop(columns="y").to_csv(tmp_path / "rows.csv", index=False)
    codes = frame[["x"]].assign(code=frame["word"].map({letter: i for i, letter in enumerate("abcdef")}))
    model = HistGradientBoostingClassifier(categorical_features=[1], random_state=7)
    with threadpool_limits(1):
        parts["table_worker"].measure("hgb", tmp_path, "y", "classes", 7, 1)
        model.fit(codes[:150].to_numpy(), frame["y"][:150].astype(object))
        expected = model.predict_proba(codes[150:].to_numpy())
    found = pd.read_csv(tmp_path / "predictions.csv")[["probability_p", "probability_q"]]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


ARGUMENTS = ["--only", "words,sums", "--against", "sklearn-mlp,hgb", "--splits", "2", "--json"]


def answered(parts, folder, capsys, *more):
    """Exit code and printed object of a run over the folder."""
    code = parts["tables"].main(["--tables", str(folder), "--results", str(folder / "kept"), *ARGUMENTS, *more])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def measured(parts, monkeypatch):
    """Puts a rule for each contestant in the place of its fit, and lists what was measured."""
    tables, done = parts["tables"], []

    def by_rule(job, folder, threads, processes):
        done.append((job.table.name, job.split, job.contestant))
        rows = pd.read_csv(folder / "rows.csv")
        if job.contestant == "hgb" and job.table.name == "sums":
            raise tables.Failed("out of memory")
        if job.table.kind == "number":
            found = {"prediction": 2 * rows["column1"] + (job.contestant == "preceptor") * rows["column2"]}
        else:
            is_mid = (rows["word"] == "mid") & (job.contestant == "preceptor")
            found = {"prediction": is_mid.astype(int), "probability_0.0": 1.0 - is_mid, "probability_1.0": 1.0 * is_mid}
        pd.DataFrame(found).to_csv(folder / "predictions.csv", index=False)
        return {"fit_seconds": 1.0, "predict_seconds": 0.5}

    monkeypatch.setattr(tables, "by_project", by_rule)
    monkeypatch.setattr(tables, "by_peer", by_rule)
    return done


def test_what_was_measured_is_not_measured_again(parts, folder, capsys, measured, monkeypatch):
    code, found = answered(parts, folder, capsys)
    assert code == 0
    assert len(measured) == len(set(measured)) == 2 * 2 * 3
    assert answered(parts, folder, capsys)[1]["tables"] == found["tables"]
    assert len(measured) == 12
    answered(parts, folder, capsys, "--splits", "3")
    contestants = ("preceptor", "sklearn-mlp", "hgb")
    assert measured[12:] == [(table, 2, name) for table in ("words", "sums") for name in contestants]
    with (folder / "words.csv").open("a") as file:
        file.write("121,0.5,mid,1.0\n")
    answered(parts, folder, capsys)
    assert {table for table, _, _ in measured[18:]} == {"words"}
    assert len(measured) == 18 + 6
    own = parts["tables"].version_of
    monkeypatch.setattr(parts["tables"], "version_of", lambda name: "next" if name == "preceptor" else own(name))
    answered(parts, folder, capsys)
    assert {name for _, _, name in measured[24:]} == {"preceptor"}
    assert len(measured) == 24 + 4


def test_what_is_told(parts, folder, capsys, measured):
    _, found = answered(parts, folder, capsys)
    words = found["tables"]["words"]["contestants"]
    assert words["preceptor"]["scores"] == [1, 1]
    assert words["preceptor"]["rank"] == 1
    assert words["hgb"]["rank"] == 2.5
    assert words["hgb"]["normalised"] == 0
    assert words["hgb"]["difference"] == pytest.approx(1 - words["hgb"]["score"])
    assert found["tables"]["words"]["to_best_trees"] == words["hgb"]["difference"]
    sums = found["tables"]["sums"]["contestants"]
    assert sums["preceptor"]["score"] == pytest.approx(1)
    assert sums["hgb"]["failed"] == "split 0: out of memory; split 1: out of memory"
    assert found["overall"]["tables"] == ["words"]  # on the other one a peer failed
    assert "Failed: hgb on sums, split 0: out of memory; split 1: out of memory" in found["notes"]
    assert found["overall"]["against"]["hgb"]["fit_seconds_ratio"] == 1


def test_the_project_is_last_where_it_failed(parts, folder, capsys, measured, monkeypatch):
    tables = parts["tables"]
    by_rule = tables.by_project

    def failing(job, *rest):
        if job.table.name == "words":
            raise tables.Failed("refused")
        return by_rule(job, *rest)

    monkeypatch.setattr(tables, "by_project", failing)
    code, found = answered(parts, folder, capsys, "--against", "sklearn-mlp")
    assert code == 1
    assert found["overall"]["contestants"]["preceptor"]["rank"]["value"] == 1.5
    assert found["overall"]["against"]["sklearn-mlp"]["losses"] == 1
    assert found["overall"]["against"]["sklearn-mlp"]["share_won"]["value"] == 0.5


def test_a_peer_that_is_not_installed_is_told(parts, folder, capsys, measured, monkeypatch):
    own = parts["tables"].version_of
    monkeypatch.setattr(parts["tables"], "version_of", lambda name: None if name == "catboost" else own(name))
    _, found = answered(parts, folder, capsys, "--against", "catboost,sklearn-mlp")
    told = "Left out: catboost: needs catboost, which is not installed (pip install '.[peers-tables]')"
    assert told in found["notes"]
    assert "catboost" not in found["tables"]["words"]["contestants"]


def test_variants_and_earlier_versions_are_contestants(parts, folder, capsys, measured, monkeypatch):
    answered(parts, folder, capsys, "--against", "sklearn-mlp")
    earlier = parts["tables"].version_of("preceptor")
    own = parts["tables"].version_of
    monkeypatch.setattr(
        parts["tables"], "version_of", lambda name: "next" if name.startswith("preceptor") else own(name)
    )
    del measured[:]
    more = ["--against", f"preceptor@{earlier[:6]}", "--variant", "--waves 4"]
    _, found = answered(parts, folder, capsys, *more)
    assert {name for _, _, name in measured} == {"preceptor", "preceptor --waves 4"}
    words = found["tables"]["words"]["contestants"]
    assert list(words) == ["preceptor", "preceptor --waves 4", f"preceptor@{earlier[:6]}"]
    assert words["preceptor --waves 4"]["score"] < 1 == words["preceptor"]["score"]  # the rule knows the bare name only
    assert len((folder / "kept" / "preceptor.jsonl").read_text().splitlines()) == 3 * 4
    _, found = answered(parts, folder, capsys, *more, "--splits", "3")
    assert "split 2: not measured" in found["tables"]["words"]["contestants"][f"preceptor@{earlier[:6]}"]["failed"]
    arguments = ["--tables", str(folder), "--results", str(folder / "kept"), "--against", "preceptor@no"]
    assert parts["tables"].main(arguments) == 2
    assert "'no' begins 0 kept versions of preceptor; there are " in capsys.readouterr().err


def test_a_variant_is_fitted_with_its_options(parts, data, folder, monkeypatch):
    tables = parts["tables"]
    table = data.load("words", data.read_index(folder))
    job = tables.Job(table, 5, "preceptor --waves 4 --hidden '8,4'", "1", "")
    commands = []
    processes = tables.Processes()
    monkeypatch.setattr(processes, "run", lambda command, folder, threads: commands.append(command))
    tables.by_project(job, folder, tables.cores(), processes)
    given = ["--target", "y", "--kind", "classes", "--seed", "5", "--waves", "4", "--hidden", "8,4", "--out", "run"]
    assert commands[0][len(tables.COMMAND) :] == ["fit", "train.csv", *given]
    assert commands[1][len(tables.COMMAND) :] == ["predict", "run", "rows.csv", "--output", "predictions.csv"]


def test_the_shown_tables(parts, folder, capsys, measured):
    arguments = [each for each in ARGUMENTS if each != "--json"]
    parts["tables"].main(["--tables", str(folder), "--results", str(folder / "kept"), *arguments])
    shown = capsys.readouterr().out
    for each in ("to the best trees", "failed", "mean rank", "Elo (hgb 1000)", "wins", "Left out of the sum: sums"):
        assert each in shown


@pytest.mark.slow
def test_all_in_processes(parts, folder, capsys):
    """The commands and the peers themselves."""
    code, found = answered(parts, folder, capsys)
    assert code == 0
    for name in ("preceptor", "sklearn-mlp", "hgb"):
        result = found["tables"]["words"]["contestants"][name]
        assert result["score"] > 0.9, name
        assert min(result["fit_seconds"], result["predict_seconds"]) > 0
    lines = (folder / "kept" / "preceptor.jsonl").read_text().splitlines()
    assert [json.loads(line)["split"] for line in lines] == [0, 1, 0, 1]
