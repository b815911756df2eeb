import unicodedata

import numpy as np
import pytest

from preceptor.data.encoding.ngrams import ngrams
from preceptor.data.encoding.place import Place
from preceptor.data.encoding.texts import learn_text
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.table_texts import IN_WORD, hashes_of, known_letters, line_of, write_letters, write_text

pytest.importorskip("onnx", reason="graphs are written with it: pip install 'preceptor[onnx]'")

TEXTS = [
    "Go until jurong point, crazy..  Available\tonly in bugis",
    "WIN a £1,000 prize NOW!! call 0900-123 or text WIN to 12345",
    "ΟΔΟΣ ΣΑΣ Σ είναι",
    "İstanbul'da güzel bir gün",
    "日本語のテキスト 한국어도 있다",
    "ﬁnd the Ǆ ǅ 🙂🙂 in 𝒳",
    "snake_case and a\0b and x\u2003y\u00a0z",
    "\u212b and \u212a are one letter",
    "नमस्ते ภาษาไทย x\u0302",
    "a",
    "",
    "   ",
    "x" * 3000 + " end",
]


def test_ngrams_have_the_numbers_that_preceptor_gives_them(ran):
    builder = Builder()
    text = builder.input("text", str, (1,))
    [letters] = write_letters(builder, [text])
    none = builder.constant(np.zeros((1, 1), np.int64))
    known = builder.node("Max", letters, none)
    line = line_of(builder, known, builder.node("GreaterOrEqual", letters, none))
    outputs = [(each, np.int64, ()) for each in hashes_of(builder, line)]
    found, rows = ran(builder, outputs, text=np.array(TEXTS, object)[:, None])
    [(_, own_rows, own)] = ngrams(TEXTS)
    assert sorted(zip(rows.tolist(), found.tolist(), strict=True)) == sorted(
        zip(own_rows.tolist(), own.tolist(), strict=True)
    )


@pytest.fixture(scope="module")
def learned():
    return learn_text("said", np.array([*TEXTS, None] * 10, object), most=8)


def features(ran, column, texts, name="said"):
    builder = Builder()
    text = builder.input(name, str, (1,))
    other = builder.input("other", str, (1,))
    with builder.at(name):
        _, letters = write_letters(builder, [other, text])
        value = write_text(builder, column, text, letters)
    given = {name: np.array(texts, object)[:, None], "other": np.full((len(texts), 1), "longer than all", object)}
    [found] = ran(builder, [(value, np.float32, (column.features,))], **given)
    return found


@pytest.mark.parametrize("texts", [[*TEXTS, " NA ", "unheard of ZZZ"], ["", "?"], ["go"]])
def test_features_are_those_that_preceptor_makes(ran, learned, texts):
    out = np.zeros((len(texts), learned.features), np.float32)
    learned.fill(out, learned.prepare(Place("t"), np.array(texts, object)))
    np.testing.assert_allclose(features(ran, learned, texts), out, atol=1e-5)


@pytest.mark.parametrize("text", ["Ko\u0308ln", "\u1112\u1161\u11ab", "ο\u0301", "\u0958"])
def test_letters_that_are_not_composed_are_refused(ran, learned, text):
    assert unicodedata.normalize("NFC", text) != text
    with pytest.raises(Exception, match=r"said/letters must be composed \(NFC\)"):
        features(ran, learned, ["fine", text])


def test_all_letters_are_known():
    known = known_letters()
    assert len(known) > 140_000
    assert known["Ä"] >> 7 == ord("ä")
    assert known["_"] & IN_WORD
    assert not known["-"] & IN_WORD
