"""Columns of sentences become numbers: what is one, what scikit-learn makes of it, and what is at its edges."""

import copy
import json

import numpy as np
import pytest
import scipy.sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from preceptor.data import Preprocessor, Table, fit_preprocessor, read
from preceptor.data.encoding import texts as module
from preceptor.data.encoding.texts import is_text, learn_text, weighted
from preceptor.errors import DataError

# Words of which no two n-grams have the same number: only then is everything as in scikit-learn.
NOUNS = ["house", "garden", "river", "window", "street", "music", "letter", "doctor", "winter", "summer", "kitchen"]
VERBS = ["opens", "closes", "finds", "paints", "carries", "follows", "answers", "forgets", "remembers", "describes"]
HOW = ["slowly", "quickly", "often", "never", "always", "gladly", "twice"]


def sentences(rows, seed=0, words=3):
    """Made sentences of six words or more."""
    rng = np.random.default_rng(seed)

    def one():
        return " ".join(f"the {rng.choice(NOUNS)} {rng.choice(HOW)} {rng.choice(VERBS)}" for _ in range(words - 1))

    return np.array([one() for _ in range(rows)], object)


def text(*values):
    return np.array(values, object)


def everything(columns, **asked):
    table = Table("t", columns)
    return fit_preprocessor(table, None, np.arange(table.rows), **asked)


TEXTS = sentences(300)


def sklearns(texts):
    """tf-idf of words, pairs of words and runs of characters together, of those in at least two texts."""
    vectorizers = (
        CountVectorizer(analyzer="word", ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", min_df=2),
        CountVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=2),
    )
    counts = scipy.sparse.hstack([each.fit_transform(texts) for each in vectorizers]).tocsr()
    return TfidfTransformer(sublinear_tf=True).fit_transform(counts)


def test_tf_idf_is_scikit_learns():
    theirs = sklearns(TEXTS)
    learned = learn_text("t", TEXTS).learned
    assert len(learned.ngrams) == theirs.shape[1]
    dense = np.zeros(theirs.shape)
    for span, rows, which, weights in weighted(TEXTS.tolist(), learned.ngrams, learned.weights):
        dense[span.start + rows, which] = weights
    # The n-grams have no names here: rows are compared by all their products, and columns by their sorted sums.
    np.testing.assert_allclose(dense @ dense.T, (theirs @ theirs.T).toarray(), atol=1e-5)
    np.testing.assert_allclose(np.sort(dense.sum(0)), np.sort(np.asarray(theirs.sum(0)).ravel()), rtol=1e-4)


def test_components_are_scikit_learns_but_for_their_sign():
    theirs = TruncatedSVD(5, algorithm="arpack").fit_transform(sklearns(TEXTS))
    theirs = (theirs - theirs.mean(0)) / theirs.std(0)
    made = everything({"t": TEXTS})
    x = made.transform(Table("t", {"t": TEXTS}))
    assert x.shape == (300, 37 + 4)  # one for each eight rows, and four of how it looks
    x = x[:, :37]
    agreement = np.abs(np.sum(x[:, :5] * theirs, axis=0)) / 300
    assert (agreement > 0.995).all()
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(x.std(0), 1, atol=1e-3)


@pytest.mark.parametrize(
    "column, is_one",
    [
        (TEXTS, True),
        (text(*TEXTS[:100].tolist() * 3), False),  # a hundred levels, each as a category
        (text(*TEXTS[:150].tolist() * 3), True),  # more, and each often
        (text(*TEXTS[:20].tolist()), True),  # few rows, nearly all different
        (text(*(f"Braund, Mr. Owen Harris {row}" for row in range(300))), False),
        (text(*(f"{row} Turner Street" for row in range(300))), False),
        (text(*(f"/home/user/my files/picture number {row}.png" for row in range(300))), False),
        (text(*(f"https://example.org/one/two/three/four/five/six?page={row}" for row in range(300))), False),
        (text(*(f"{row:032x}" for row in range(300))), False),
        (text(*(" ".join(str(row * place) for place in range(50)) for row in range(300))), False),
        (text(*(f"今天天气很好我们去公园散步吧第{row}次" for row in range(300))), True),
        (text(*(f"王小明{row}" for row in range(300))), False),
        (text(*(f"สวัสดีครับวันนี้อากาศดีมาก{row}" for row in range(300))), True),
        (text(*(f"Сегодня очень хорошая погода для прогулки в парке {row}" for row in range(300))), True),
        (text(*[None] * 300), False),
    ],
)
def test_sentences_are_told_from_names_and_numbers(column, is_one):
    assert is_text(column) == is_one


def test_what_it_says():
    made = everything({"x": np.arange(300.0), "t": TEXTS})
    said = made.lines()[1]
    assert said == (
        "Text, by the main directions of its n-grams and by how it looks (1): "
        f"t (300 texts, {len(made.columns[1].learned.ngrams):,} n-grams, 41 numbers)."
    )
    assert made.feature_names[:3] == ("x", "t component 1", "t component 2")
    assert made.feature_names[-4:] == ("t characters", "t digits", "t capitals", "t signs")
    assert made.plain_numbers == (0,)


def test_only_the_training_rows_count():
    other = np.concatenate([TEXTS, sentences(50, seed=5, words=5)])
    one = fit_preprocessor(Table("t", {"t": other}), None, np.arange(300))
    assert one == everything({"t": TEXTS})


def test_gaps_and_strange_texts_are_the_mean():
    column = TEXTS.copy()
    column[::10] = None
    made = everything({"t": column})
    assert made.feature_names[-1] == "t is missing"
    new = Table("new", {"t": text(None, "", "zzz qqq xxx", "12 34", TEXTS[3], " \n")})
    x = made.transform(new)
    assert (x[:, -1] == [1, 1, 0, 0, 0, 1]).all()
    assert (x[[0, 1, 2, 3, 5], :33] == 0).all()
    assert (x[0] == [0] * 37 + [1]).all()
    assert (x[4, :33] != 0).all()
    np.testing.assert_array_equal(made.transform(new.select(np.array([4])))[0], x[4])
    unseen = made.unseen()
    unseen.look(new, x)
    unseen.look(new, x)
    assert unseen.notes() == [
        "Column 't' holds no word, nor part of one, that training knew in 4 of 12 rows; they count as an average text."
    ]


def test_without_gaps_in_training_a_gap_is_said():
    made = everything({"t": TEXTS})
    new = Table("new", {"t": text(None, TEXTS[0])})
    unseen = made.unseen()
    unseen.look(new, made.transform(new))
    assert unseen.notes() == [
        "Column 't' is missing in 1 of 2 rows, and never was in training; the usual value stands there."
    ]


def test_looks_are_counted():
    column = TEXTS.copy()
    column[:150] = [f"{each} {'AB' * (row % 5)} {row} !?" for row, each in enumerate(column[:150])]
    made = everything({"t": column})
    few = ["Go NOW: win 100!", "ÄÖÜ äöü ٣", "你好。"]
    counts = np.array([[16, 3, 4, 2], [9, 1, 3, 0], [3, 0, 0, 1]])
    all_counts = [[len(t), *(sum(map(f, t)) for f in (str.isdigit, str.isupper))] for t in column.tolist()]
    x = made.transform(Table("new", {"t": text(*few)}))
    mean, sd = np.log1p(all_counts).mean(0), np.log1p(all_counts).std(0)
    np.testing.assert_allclose(x[:, 37:40], (np.log1p(counts[:, :3]) - mean) / sd, rtol=1e-5, atol=1e-6)
    signs = np.array([sum(not c.isalnum() and not c.isspace() for c in t) for t in column.tolist()])
    expected = (np.log1p(counts[:, 3]) - np.log1p(signs).mean()) / np.log1p(signs).std()
    np.testing.assert_allclose(x[:, 40], expected, rtol=1e-5)
    assert (everything({"t": TEXTS}).transform(Table("new", {"t": text(*few)}))[:, 38:] == 0).all()  # all without


def test_all_alike_are_set_aside():
    alike = text(*["one text that is the same in each and every row"] * 50)
    made = everything({"x": np.arange(50.0), "t": alike})
    assert made.set_aside == (("t", "the same in all training rows"),)
    cased = text(*("".join(c.upper() if row >> place & 1 else c for place, c in enumerate("the same text but "
                 "for its case")) for row in range(50)))  # fmt: skip
    assert is_text(cased)
    assert everything({"x": np.arange(50.0), "t": cased}).feature_names == ("x",)


def test_other_types_are_read_as_text():
    made = everything({"t": TEXTS})
    assert made.transform(Table("new", {"t": np.array([1.0, np.nan])}))[:, :37].tolist() == [[0] * 37] * 2
    assert np.isfinite(made.transform(read({"t": ["2024-01-01", "2024-01-02"]}))).all()
    with pytest.raises(DataError, match="a block of 2 numbers per row; one value per row is needed"):
        made.transform(Table("new", {"t": np.eye(2)}))


def test_a_text_of_ten_megabytes():
    column = TEXTS.copy()
    column[7] = "the garden slowly opens " * 450_000
    made = everything({"t": column})
    x = made.transform(Table("new", {"t": column}))
    assert np.isfinite(x).all()
    short = made.transform(Table("new", {"t": text(column[7][:100_000])}))
    np.testing.assert_array_equal(x[7], short[0])


def test_what_is_learned_from_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "LEARNED_CHARACTERS", 5_000)
    few = module._some(TEXTS.tolist())
    assert 4_000 < sum(map(len, few)) <= 5_000
    assert few[0] == TEXTS[0]
    assert everything({"t": TEXTS}).columns[0].texts == 300
    monkeypatch.setattr(module, "MOST_NGRAMS", 50)
    assert len(everything({"t": TEXTS}).columns[0].learned.ngrams) == 50


def test_many_columns_share_their_components():
    columns = {f"t{place}": sentences(600, seed=place) for place in range(4)}
    made = everything(columns)
    assert made.features == 4 * (48 + 4)


def test_saved_and_back():
    column = TEXTS.copy()
    column[::10] = None
    made = everything({"x": np.arange(300.0), "t": column, "u": sentences(300, seed=3)}, scaling="pca")
    saved, arrays = json.loads(json.dumps(made.to_dict())), made.arrays()
    again = Preprocessor.from_dict(saved, arrays)
    assert again == made
    assert hash(again) == hash(made)
    table = Table("new", {"x": np.arange(300.0), "t": column, "u": TEXTS})
    assert again.transform(table).tobytes() == made.transform(table).tobytes()
    unseen = made.unseen()
    new = Table("new", {"x": np.zeros(1), "t": text("zzz"), "u": TEXTS[:1]})
    unseen.look(new, made.transform(new))
    assert len(unseen.notes()) == 1
    assert len(json.dumps(saved)) < 5_000
    assert "learned" not in saved["columns"][1]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda saved, arrays: arrays.clear(), "its arrays are missing, which are required"),
        (lambda saved, arrays: arrays.pop("text/1/shift"), "missing 1 required positional argument: 'shift'"),
        (lambda saved, arrays: arrays.update({"text/1/more": np.zeros(1)}), "unexpected keyword argument 'more'"),
        (lambda saved, arrays: arrays.update({"text/1/shift": np.zeros(2, np.float32)}), "do not go together"),
        (lambda saved, arrays: arrays.update({"text/1/weights": arrays["text/1/weights"] * 1.0}), ""),
        (
            lambda saved, arrays: arrays.update({"text/1/weights": arrays["text/1/weights"].astype(np.float64)}),
            "its arrays are of other types than int32 and float32",
        ),
        (lambda saved, arrays: arrays.update({"text/1/ngrams": arrays["text/1/ngrams"][::-1]}), "not in order"),
        (
            lambda saved, arrays: arrays.update({"text/1/ngrams": arrays["text/1/ngrams"] + np.int32(1 << 22)}),
            "below 4,194,304 is required",
        ),
        (lambda saved, arrays: arrays.update({"text/2/shift": np.zeros(2)}), "array"),
        (lambda saved, arrays: saved["columns"][0].update(learned=None), "'learned', which is not known"),
        (lambda saved, arrays: saved["columns"][0].update(sd=[1.0, 1.0, -1.0, 1.0]), "sd at least 0, as is required"),
        (lambda saved, arrays: saved["columns"][0].update(mean=[1.0]), "mean and sd are not 4 numbers each"),
        (lambda saved, arrays: saved["columns"][0].update(texts=0), "it has no text; at least one is required"),
        (
            lambda saved, arrays: saved["columns"].__setitem__(0, {"form": "truth", "name": "t", "mean": 0.5}),
            "which are not known of truth",
        ),
    ],
)
def test_changed_files_are_refused(change, message):
    made = everything({"t": TEXTS})
    saved, arrays = copy.deepcopy(made.to_dict()), made.arrays()
    change(saved, arrays)
    if not message:
        assert Preprocessor.from_dict(saved, arrays) == made
        return
    with pytest.raises(DataError) as error:
        Preprocessor.from_dict(saved, arrays)
    assert message in str(error.value)
