"""The n-grams of texts are those that scikit-learn counts, by numbers that are the same everywhere."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from preceptor.data.encoding import ngrams as module
from preceptor.data.encoding.ngrams import BUCKETS, LONGEST_TEXT, ngrams

TEXTS = [
    "Free entry in 2 a wkly comp to win FA Cup final tkts 21st May 2005!",
    "ok   lar...\tJoking wif u\n oni",
    "don't it's l'été à Noël",
    "",
    "   ",
    "a",
    "你好世界，今天天气很好",
    "これは日本語の文章です。 ไทย ไม่มีช่องว่าง",
    "Привет МИР _under_score 1.5e3 x=1",
    "a a a a b a a",
]


def counted(texts):
    """How often each number occurs in each row, without the numbers: the sorted counts."""
    rows = [Counter() for _ in texts]
    for span, row, number in ngrams(texts):
        for each, code in zip(row.tolist(), number.tolist(), strict=True):
            rows[span.start + each][code] += 1
    return rows


def reference(texts):
    words = CountVectorizer(analyzer="word", ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")
    parts = CountVectorizer(analyzer="char_wb", ngram_range=(3, 5))
    made = [(each.fit_transform(texts).toarray(), sorted(each.vocabulary_)) for each in (words, parts)]
    return [
        Counter(
            {(kind, names[at]): int(x[row, at]) for kind, (x, names) in enumerate(made) for at in x[row].nonzero()[0]}
        )
        for row in range(len(texts))
    ]


def test_they_are_what_scikit_learn_counts():
    """One number stands for one n-gram, and each occurs as often in each row."""
    ours, theirs = counted(TEXTS), reference(TEXTS)
    profile = [Counter(tuple(row[code] for row in ours) for code in set().union(*ours))]
    profile += [Counter(tuple(row[name] for row in theirs) for name in set().union(*theirs))]
    assert profile[0] == profile[1]
    assert ours[3] == ours[4] == Counter()


def test_batches_change_nothing(monkeypatch):
    whole = counted(TEXTS * 3)
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 20)
    assert len(list(ngrams(TEXTS * 3))) > 10
    assert counted(TEXTS * 3) == whole


def test_case_spaces_and_composition_are_one():
    one, other = counted(["Caf\u00e9 NOIR \t x", "cafe\u0301  noir X\0"])
    assert one == other
    assert one


def test_none_and_half_a_letter_are_taken():
    assert counted([None, "\ud800 broken"])[0] == Counter()


def test_numbers_do_not_depend_on_the_process():
    code = (
        "from preceptor.data.encoding.ngrams import ngrams\n"
        "print([number.tolist() for _, _, number in ngrams(['to be or not', '你好'])])"
    )
    said = [
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, check=True)
        for seed in ("1", "2")
    ]
    assert {each.stdout for each in said} == {
        str([number.tolist() for _, _, number in ngrams(["to be or not", "你好"])]).encode() + b"\n"
    }


def test_a_text_of_ten_megabytes_is_read_to_a_limit():
    long = "many words of one text " * 450_000
    assert len(long) > 10_000_000
    assert counted([long]) == counted([long[:LONGEST_TEXT]])


def test_numbers_are_spread_evenly():
    """Balls in bins: of n in b bins about n²/2b share one."""
    texts = [" ".join(f"w{row}x{place}" for place in range(50)) for row in range(400)]
    words = CountVectorizer(analyzer="word", ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b").fit(texts)
    parts = CountVectorizer(analyzer="char_wb", ngram_range=(3, 5)).fit(texts)
    different = len(words.vocabulary_) + len(parts.vocabulary_)
    found = len(np.unique(np.concatenate([codes for _, _, codes in ngrams(texts)])))
    expected = different**2 / 2 / BUCKETS
    assert expected > 100
    assert different - found == pytest.approx(expected, abs=5 * np.sqrt(expected))
