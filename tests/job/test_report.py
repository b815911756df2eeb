"""The report of a run: made with it, made again from its folder, and of folders that hold nonsense."""

import json
import random
import re
import shutil
from html import unescape
from importlib import import_module

import msgspec
import pytest

import preceptor as pr
from preceptor.errors import DataError
from preceptor.evidence.record import Curve, Evidence, as_read
from preceptor.job.folder import EVIDENCE, REPORT, sealed, sums

QUICK = {"hidden": (8,), "epochs": 3, "engine": "reference"}
SPOILED = 200
MARK = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return pr.fit("iris", out=tmp_path_factory.mktemp("runs") / "run", **QUICK).path


def test_every_run_folder_has_its_report_and_makes_it_again(saved, tmp_path):
    made = (saved / REPORT).read_text()
    assert made.lower().startswith("<!doctype html>")
    assert pr.load(saved).report(tmp_path / "again.html") == made
    assert (tmp_path / "again.html").read_text() == made


def test_the_figures_are_those_of_the_run(saved):
    run = pr.load(saved)
    page = run.report()
    for figure in (*run.dev.values(), *run.test.values()):
        assert str(figure).removeprefix(f"{figure.name} ") in page


def test_it_needs_no_network(saved):
    page = (saved / REPORT).read_text()
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)[^"']*""", page) == []
    assert "default-src 'none'" in page or "default-src &#x27;none&#x27;" in page


def test_a_run_that_is_saved_has_one_too(tmp_path):
    run = pr.fit("iris", **QUICK)
    run.save(tmp_path / "run")
    assert (tmp_path / "run" / REPORT).read_text() == pr.load(tmp_path / "run").report()


def test_a_report_that_cannot_be_written_costs_nothing_else(tmp_path, monkeypatch):
    from preceptor.job import run as run_module

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_module, "replace_file", fail)
    with pytest.warns(UserWarning, match=r"the report cannot be written \(No space left on device\)\."):
        run = pr.fit("iris", out=tmp_path / "run", **QUICK)
    assert pr.load(tmp_path / "run").test == run.test
    assert not (tmp_path / "run" / REPORT).exists()


def test_a_notebook_shows_the_run_and_its_report(saved):
    run = pr.load(saved)
    small, frame = run._repr_html_(), run.report()._repr_html_()
    assert "species" in small
    assert "<script" not in small
    assert frame.startswith("<iframe srcdoc=")
    assert "<script" not in frame  # it is escaped, within an attribute
    assert unescape(re.search('srcdoc="([^"]*)"', frame)[1]) == run.report()


def test_a_finding_that_no_page_can_show_is_told_in_one_line(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["facts"]["findings"] = [{"level": "warn"}]
    reseal(tmp_path / "run", config)
    with pytest.raises(DataError, match="its facts and evidence do not fit together"):
        pr.load(tmp_path / "run").report()


def reseal(folder, config, evidence=None):
    """Writes what a folder says of itself anew, with checksums that fit."""
    config.pop("checksum", None)
    if evidence is not None:
        (folder / EVIDENCE).write_bytes(evidence)
        config["files"][EVIDENCE] = msgspec.to_builtins(sums(evidence))
    (folder / "config.json").write_bytes(sealed(config))


def spoil(value, chance, draw):
    """Something else in place of parts of a value, of their own kind and of others."""
    if draw.random() < chance:
        return draw.choice([None, "", MARK, -1, 0, 1e308, [], {}, [MARK], [1, 2], "x" * 5000, True, 7])
    if isinstance(value, dict):
        return {name: spoil(each, chance, draw) for name, each in value.items() if draw.random() > chance / 4}
    if isinstance(value, list):
        kept = [spoil(each, chance, draw) for each in value]
        if kept and draw.random() < chance:
            kept = kept * 3 if draw.random() < 0.5 else kept[: len(kept) // 2]
        return kept
    if isinstance(value, str) and draw.random() < 10 * chance:
        return MARK
    if isinstance(value, float) and draw.random() < 10 * chance:
        return draw.choice([-value, 0.0, 1e308, -1e-308])
    return value


def test_spoiled_folders_give_a_line_or_a_page_and_never_markup(saved, tmp_path):
    evidence = json.loads((saved / EVIDENCE).read_bytes())
    config = json.loads((saved / "config.json").read_text())
    pages, lines = 0, list[str]()
    for number in range(SPOILED):
        draw, folder = random.Random(number), tmp_path / str(number)
        shutil.copytree(saved, folder)
        chance = draw.choice([0.0005, 0.005, 0.05])
        spoiled = json.loads(json.dumps(config))
        if number % 3:
            spoiled["facts"] = spoil(spoiled["facts"], chance, draw)
        found = spoil(evidence, chance, draw) if number % 3 != 1 else evidence
        reseal(folder, spoiled, json.dumps(found).encode())
        try:
            page = pr.load(folder).report()
        except DataError as error:
            lines.append(str(error))
            continue
        pages += 1
        assert MARK not in page
    assert pages > SPOILED // 20
    assert len(lines) > SPOILED // 20
    assert [each for each in lines if "\n" in each] == []


def test_evidence_that_could_not_be_read_again_costs_the_page_alone(tmp_path, monkeypatch):
    def spoiled(*_):
        return Evidence(losses=Curve(x=[float("nan")], y=[None]))

    monkeypatch.setattr(import_module("preceptor.job.fit"), "gather", spoiled)
    with pytest.warns(UserWarning, match="the report is without evidence"):
        run = pr.fit("iris", out=tmp_path / "run", **QUICK)
    assert pr.load(run.path).evidence is None


def test_evidence_is_bounded_whatever_names_the_data_have():
    with pytest.raises(ValueError, match="at most 33,554,432 are kept"):
        as_read(Evidence(network="x" * (1 << 25)))
