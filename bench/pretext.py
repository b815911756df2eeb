"""Learning without labels, and what it brings where labels are few: `python bench/pretext.py`.

    python bench/pretext.py [--data fashion-mnist|cifar10] [--task WORD ...] [--labels 100,1000] [--seeds 5] [--json F]

Each task is learned once from all training pictures, whose labels are not looked at. Then, for each seed, so many
labelled pictures are drawn (class by class, 85 of 100 to train, the others dev), and `fit` trains on them by its own
recipe: from scratch, and from each task's trunk. All are judged by the same test pictures. What a task brings is the
mean over the seeds of the difference to from scratch with the same labels, with its standard error.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from preceptor.data import Pictures, Split, read_pictures
from preceptor.data.pictures.preprocessor import PicturePreprocessor
from preceptor.job import Run, make_settings
from preceptor.job.fit import building
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.pretext_survey import DEV_ROWS, PictureTaskSurvey
from preceptor.job.pretext_words import make_task, solved
from preceptor.job.pretraining import task_settings, trunk_of
from preceptor.job.stages import completed
from preceptor.train.training import beginning

DATA = Path(__file__).parents[2] / "shared" / "data"
TASKS = ("rotation", "colour", "inpaint", "position", "contrast")
DEV_SHARE = 0.15


def pictures_of(name: str) -> Pictures:
    """A set with its parts, in memory."""
    if name != "cifar10":
        return read_pictures(DATA / name)
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    labels = np.load(DATA / name / "labels.npy")
    files = [*(f"data_batch_{number}.webp" for number in range(1, 6)), "test_batch.webp"]
    mosaics = [np.asarray(Image.open(DATA / name / file).convert("RGB")) for file in files]
    pixels = np.concatenate(
        [each.reshape(100, 32, 100, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3) for each in mosaics]
    )
    parts = np.repeat(np.array(["train", "test"]), [50_000, 10_000])
    classes, hashes = tuple(map(str, range(10))), np.arange(len(pixels), dtype=np.uint64)
    return Pictures(name, classes, labels.ravel().astype(np.int32), parts, 32, 32, 3, pixels, hashes)


def learned(pictures: Pictures, word: str, epochs: int, unlabelled: int, seed: int, **settings) -> Run:
    """What a task teaches of the pictures."""
    rows = np.random.default_rng(seed).permutation(pictures.rows_of("train"))[:unlabelled]
    parts = Split(np.sort(rows[DEV_ROWS:]), np.sort(rows[:DEV_ROWS]), rows[:0])
    seen = PictureTaskSurvey(pictures, parts, "at random", make_task(word))
    fitting = completed(building("", seen, task_settings({"epochs": epochs, "seed": seed} | settings)))
    fitting.unwatched = "a bench"
    for _ in fitting.records():
        pass
    return fitting.finish()


def drawn(pictures: Pictures, count: int, seed: int, test: int) -> Split:
    """So many labels, as many of each class, and the test pictures."""
    rng = np.random.default_rng([seed, count])
    train, dev = [], []
    assert pictures.labels is not None
    rows = rng.permutation(pictures.rows_of("train"))
    for each in range(len(pictures.classes)):
        own = rows[pictures.labels[rows] == each][: count // len(pictures.classes)]
        guides = round(DEV_SHARE * len(own) + rng.random() - 0.5)
        train.append(own[guides:])
        dev.append(own[:guides])
    judges = np.random.default_rng(0).permutation(pictures.rows_of("test"))[:test]
    return Split(*(np.sort(np.concatenate(each)) for each in (train, dev, [judges])))


def trained(pictures: Pictures, parts: Split, seed: int, run: Run | None, **given) -> float:
    """The share of the test pictures that is told rightly, in hundredths."""
    seen = PictureSurvey(pictures, parts, "", "channel", [])
    if run is not None:
        inner = run.preprocessor.inner
        made = PicturePreprocessor(inner.shape, pictures.classes, "channel", inner.normalise, len(parts.train))
        vars(seen)["preprocessor"] = made
    fitting = completed(building("", seen, make_settings({"seed": seed} | given)))
    fitting.unwatched, fitting.gathers, fitting.costs_alone = "a bench", False, True
    if run is not None:
        _, params, state = trunk_of(run)
        everything = beginning(fitting.config, fitting.data)
        for kept, own in (("params", params), ("state", state)):
            assert set(own) <= set(everything[kept])
            everything[kept] |= own
        fitting.start = 0, everything
    for _ in fitting.records():
        pass
    return 100 * float(fitting.finish().test["accuracy"])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="fashion-mnist", choices=("fashion-mnist", "mnist", "cifar10"))
    parser.add_argument("--task", action="append", help="with its numbers; all that suit the pictures if left out")
    parser.add_argument("--labels", default="100,1000")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10, help="of a task")
    parser.add_argument("--unlabelled", type=int, default=1 << 30, help="pictures that a task learns from, at most")
    parser.add_argument("--test", type=int, default=5_000, help="test pictures")
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rate", type=float, help="learning rate on the labels, from a trunk")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args()
    pictures = pictures_of(given.data)
    counts = [int(each) for each in given.labels.split(",")]
    own = {name: value for name in ("model", "threads") if (value := getattr(given, name)) is not None}
    rate = {} if given.rate is None else {"learning_rate": given.rate}
    began, found = time.perf_counter(), {}

    def each(run: Run | None) -> dict[int, np.ndarray]:
        more = own if run is None else own | rate
        return {
            count: np.array(
                [
                    trained(pictures, drawn(pictures, count, seed, given.test), seed, run, **more)
                    for seed in range(given.seeds)
                ]
            )
            for count in counts
        }

    scratch = each(None)
    found["scratch"] = {count: values.tolist() for count, values in scratch.items()}
    for count, values in scratch.items():
        print(f"{'scratch':<12} {count:>6,} labels: {values.mean():.2f} %", flush=True)
    tasks = given.task or [word for word in TASKS if word != "colour" or pictures.channels == 3]
    for word in tasks:
        start = time.perf_counter()
        run = learned(pictures, word, given.epochs, given.unlabelled, 0, **own)
        print(f"{word}: {solved(run)} {time.perf_counter() - start:.0f} s", flush=True)
        found[word] = {"solved": solved(run), "seconds": time.perf_counter() - start}
        for count, values in each(run).items():
            gain = values - scratch[count]
            error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else float("nan")
            beyond = "beyond noise" if gain.mean() > 2.78 * error else "not beyond noise"  # t of 4 degrees, 95 %
            print(
                f"{word:<12} {count:>6,} labels: {values.mean():.2f} %, {gain.mean():+.2f} ± {error:.2f}, {beyond}",
                flush=True,
            )
            found[word][count] = values.tolist()
    print(f"{time.perf_counter() - began:.0f} s in all")
    if given.json:
        given.json.write_text(json.dumps({"data": given.data, **found}, indent=1))


if __name__ == "__main__":
    main()
