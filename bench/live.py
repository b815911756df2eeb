"""What the live page costs: bytes and milliseconds of a tick while many runs grow, and of the first look at a curve.

    python bench/live.py [--runs 50] [--steps 100000] [--ticks 60]

Makes the logs of runs as `fit` writes them, and lets all of them grow between ticks, as if each made `--pace` steps a
second and ended an epoch every `--epoch` steps. Bytes are those of the event that every page gets; time is that of the
processor. Says nothing of the browser.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from preceptor.job import make_settings
from preceptor.job.levels import Levels
from preceptor.job.lock import Lock
from preceptor.job.log import Log, log_of
from preceptor.live.place import SETTLED_SECONDS
from preceptor.live.watcher import Watcher


class Made:
    """A run that grows."""

    def __init__(self, folder: Path, number: int, steps: int, total: int, epoch: int) -> None:
        folder.mkdir()
        (folder / "plan.json").write_text("{}")
        self.lock = Lock(folder)
        settings = make_settings({"learning_rate": 0.001 * (number + 1), "seed": number}).to_dict()
        begun = {"data": "made", "targets": ["y"], "rows": 10_000, "steps": total, "epochs": total // epoch}
        self.log = Log(log_of(folder), 0, begun | {"engine": "made", "settings": settings, "training": 1})
        self.rng, self.step, self.epoch = np.random.default_rng(number), 0, epoch
        self.grow(steps)

    def grow(self, steps: int) -> None:
        """Makes so many steps, with an entry for each epoch that ends."""
        while steps:
            piece = min(steps, self.epoch - self.step % self.epoch)
            at = np.arange(self.step, self.step + piece)
            self.log.steps((np.exp(-at / 2e4) + 0.1 * self.rng.random(piece)).astype(np.float32))
            self.step, steps = self.step + piece, steps - piece
            if self.step % self.epoch == 0:
                loss = float(np.exp(-self.step / 2e4) + 0.05 * self.rng.random())
                entry = {
                    "step": self.step,
                    "epoch": self.step / self.epoch,
                    "objective": loss,
                    "train_loss": loss * 0.9,
                }
                entry |= {"dev_loss": loss * 1.1, "dev_accuracy": 1 - loss / 2, "learning_rate": 0.001 / (1 + loss)}
                self.log.add("epoch", entry | {"seconds": self.step * 1e-3})
        self.log.commit()


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=60)
    parser.add_argument("--pace", type=int, default=200, help="steps of each run between two ticks")
    parser.add_argument("--epoch", type=int, default=1000, help="steps of an epoch")
    parser.add_argument("--points", type=int, default=10_000_000, help="of the long curve")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "runs")
        folder.mkdir()
        runs = [
            Made(folder / f"run-{number}", number, asked.steps, 2 * asked.steps, asked.epoch)
            for number in range(asked.runs)
        ]
        watcher = Watcher(folder)
        began = time.process_time()
        _, content = watcher.everything()
        print(f"first look   {len(content):,} bytes, {1e3 * (time.process_time() - began):,.0f} ms")
        time.sleep(SETTLED_SECONDS + 0.5)  # a folder made just now is listed at each tick, which one that trains is not
        watcher.tick()
        for word, growing in (("all grow", runs), ("one grows", runs[:1]), ("none grows", [])):
            sizes, took = [], []
            for _ in range(asked.ticks):
                for each in growing:
                    each.grow(asked.pace)
                began = time.process_time()
                message = watcher.tick()
                took.append(1e3 * (time.process_time() - began))
                sizes.append(len(message.content) if message else 0)
            print(
                f"{word:12} {statistics.mean(sizes):,.0f} bytes a tick (at most {max(sizes):,}), "
                f"{statistics.median(took):.2f} ms (at most {max(took):.2f})"
            )
        for points in dict.fromkeys((1_000, 100_000, asked.points)):
            out = Path(place, f"curve-{points}", "run")
            out.parent.mkdir()
            log = Log(log_of(out.parent), 0, {})
            levels, rng = Levels(log_of(out.parent)), np.random.default_rng(0)
            for start in range(0, points, 1 << 20):
                levels.add(rng.random(min(1 << 20, points - start), np.float32))
            log.end("FINISHED", "")
            one = Watcher(out.parent)
            one.everything()
            for start, stop in ((0, points), (points // 3, points // 2)):
                took = []
                for _ in range(20):
                    began = time.process_time()
                    content = one.curve(1, "objective", start, stop) or b""
                    took.append(1e3 * (time.process_time() - began))
                what = f"{points:,} points, steps {start:,} to {stop:,}"
                print(f"curve        {what}: {len(content):,} bytes, {statistics.median(took):.2f} ms")


if __name__ == "__main__":
    main()
