"""Learning without labels, and what it brings where labels are few: `python bench/pretext.py`.

    python bench/pretext.py [--data fashion-mnist|cifar10] [--task WORD ...] [--labels 100,1000] [--seeds 5] [--json F]

Each task is learned once from training pictures whose labels are not looked at, and the run is saved. Then, for each
seed, so many labelled pictures are drawn (as many of each class, 85 of 100 to train, the others dev), and `fit` trains
on them by its own recipe from scratch, and from each run: as it chooses by itself (default: all layers
move, as long as from scratch, at a third of its rate), or at the rate from scratch (full). All are judged by the same
test pictures, which no task has seen. What a task brings is the mean over the seeds of the difference to from scratch
with the same labels, with its standard error; within noise is what Student's t at 95 % does not tell from nothing.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data import Pictures, Split, read_pictures
from preceptor.job import make_settings
from preceptor.job.fit import building
from preceptor.job.origin import Origin, origin_of
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.pretext_survey import DEV_ROWS, PictureTaskSurvey
from preceptor.job.pretext_words import make_task, solved
from preceptor.job.pretraining import task_settings
from preceptor.job.stages import completed
from preceptor.train.interval import student

DATA = Path(__file__).parents[2] / "shared" / "data"
TASKS = ("rotation", "colour", "inpaint", "position", "contrast")
WAYS = {"default": None, "full": 3e-3}  # the rate where all layers move
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


def learned(pictures: Pictures, word: str, unlabelled: int, place: Path, **given: Any) -> Origin:
    """What a task teaches of so many pictures, saved and read again."""
    rows = np.random.default_rng(0).permutation(pictures.rows_of("train"))[:unlabelled]
    parts = Split(np.sort(rows[DEV_ROWS:]), np.sort(rows[:DEV_ROWS]), rows[:0])
    seen = PictureTaskSurvey(pictures, parts, "at random", make_task(word))
    began = time.perf_counter()
    fitting = completed(building("", seen, task_settings(given)))
    fitting.unwatched = "a bench"
    for _ in fitting.records():
        pass
    run = fitting.finish().save(place)
    print(f"{word}: {solved(run)} {time.perf_counter() - began:.0f} s", flush=True)
    return origin_of(str(place))


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


def moving(pictures: Pictures, parts: Split, rate: float) -> dict[str, Any]:
    """The settings by which all layers move as long as they would from scratch."""
    chosen = PictureSurvey(pictures, parts, "", "channel", []).complete(make_settings({}))
    return {"freeze": ("none",), "learning_rate": rate, "epochs": chosen.epochs}


def trained(
    pictures: Pictures, parts: Split, seed: int, origin: Origin | None, rate: float | None = None, **given: Any
) -> float:
    """The share of the test pictures that is told rightly, in hundredths."""
    given = (moving(pictures, parts, rate) if rate else {}) | given
    begins = {} if origin is None else {"from_": origin.name}
    seen = PictureSurvey(pictures, parts, "", "channel", [], origin=origin)
    fitting = completed(building("", seen, make_settings({"seed": seed} | begins | given)))
    fitting.unwatched, fitting.gathers, fitting.costs_alone = "a bench", False, True
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
    parser.add_argument("--epochs", type=int, default=15, help="of a task")
    parser.add_argument(
        "--unlabelled", type=int, default=22_000, help="pictures that a task learns from and is judged by"
    )
    parser.add_argument("--test", type=int, default=4_000, help="test pictures")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--keep", type=Path, help="folder for the runs of the tasks")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args()
    pictures, began = pictures_of(given.data), time.perf_counter()
    counts = [int(each) for each in given.labels.split(",")]
    own = {} if given.threads is None else {"threads": given.threads}
    network = {} if given.model is None else {"model": given.model}

    def each(count: int, origin: Origin | None, **more: Any) -> np.ndarray:
        parts = [drawn(pictures, count, seed, given.test) for seed in range(given.seeds)]
        return np.array([trained(pictures, part, seed, origin, **own, **more) for seed, part in enumerate(parts)])

    scratch = {count: each(count, None, **network) for count in counts}
    found: dict[str, Any] = {"data": given.data, "scratch": {count: v.tolist() for count, v in scratch.items()}}
    for count, values in scratch.items():
        print(f"{'scratch':<24} {count:>6,} labels: {values.mean():.1f} %", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, word in enumerate(
            given.task or [each for each in TASKS if each != "colour" or pictures.channels == 3]
        ):
            place = (given.keep or Path(folder)) / f"{given.data}-{number}-{word.partition(':')[0]}"
            origin = learned(pictures, word, given.unlabelled, place, epochs=given.epochs, **own, **network)
            for way in given.ways:
                for count in counts:
                    values = each(count, origin, rate=WAYS[way])
                    gain = values - scratch[count]
                    error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.inf
                    noise = "" if gain.mean() > student(len(gain) - 1) * error else ", within noise"
                    print(
                        f"{word + ', ' + way:<24} {count:>6,} labels: {values.mean():.1f} %, "
                        f"{gain.mean():+.1f} ± {error:.1f}{noise}",
                        flush=True,
                    )
                    found.setdefault(word, {}).setdefault(way, {})[count] = values.tolist()
    print(f"{time.perf_counter() - began:.0f} s in all")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
