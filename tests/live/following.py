"""What tests of the live page ask of it."""

import json
import time

from preceptor.live.watcher import Watcher

NAMES = "Array.from(document.querySelectorAll('#runs tbody tr .name span'), each => each.textContent)"


def told(watcher: Watcher) -> dict[str, dict]:
    return {each["name"]: each for each in json.loads(watcher.everything()[1])["runs"]}


def news(watcher: Watcher) -> dict:
    message = watcher.tick()
    return {} if message is None else json.loads(message.content)


def until(page, expression):
    """Waits until something holds in the page, which lets no text be run as a script: the driver asks from outside."""
    end = time.monotonic() + 15
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)
