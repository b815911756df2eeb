"""The page in a browser, as somebody sees it: runs appear and grow, findings pop up, runs are sorted, filtered and
compared, and nothing of a run is ever markup."""

import pytest
from following import NAMES, until

MARKUP = "<img src=x onerror='document.title=1'>"


def test_runs_appear_grow_and_find(opened, made, tmp_path):
    page = opened()
    until(page, "document.getElementById('count').textContent.startsWith('No run lies here yet')")
    one = made(tmp_path / "first", learning_rate=0.01)
    one.grow(10)
    until(page, f"{NAMES}.includes('first')")
    until(page, "document.querySelector('#keys li') && plot && plot?.data[0].length === 10")
    assert page.locator("#runs tbody .state").text_content() == "running"
    assert "10 of 1,000" in page.locator("#runs tbody tr").text_content()
    one.grow(50)
    until(page, "plot?.data[0].at(-1) === 60")  # the curve has grown
    assert page.evaluate("plot?.data[1].at(-1)") == pytest.approx(1 / 60, rel=1e-3)
    until(page, "document.querySelector('#runs tbody tr').textContent.includes('1 of 20')")
    one.find("Half of the units are dead.", proof={"text": "Tried from step 5 on."})
    until(page, "document.querySelectorAll('#findings li').length === 1")
    told = page.locator("#findings li").text_content()
    assert all(each in told for each in ("Warning", "first", "step 60", "Half of the units", "Tried from step 5 on."))
    one.end()
    until(page, "document.querySelector('#runs tbody .state').textContent === 'finished'")


def test_runs_are_sorted_filtered_and_compared(opened, made, tmp_path):
    for name, rate, figure in (("a", 0.1, 0.3), ("b", 0.001, 0.1), ("c", 0.02, 0.2)):
        made(tmp_path / name, learning_rate=rate, optimiser="sgd" if name == "c" else "adam").grow(100, dev_loss=figure)
    page = opened()
    until(page, f"{NAMES}.length === 3")
    heads = page.locator("#runs thead th").all_text_contents()
    assert {"learning rate", "optimiser", "dev loss"} <= set(heads)  # what differs, and no other setting
    assert "batch size" not in heads
    for name, orders in (("dev loss", ["bca", "acb"]), ("learning rate", ["bca", "acb"]), ("Run", ["abc", "cba"])):
        for order in orders:
            page.get_by_role("button", name=name, exact=True).click()
            assert page.evaluate(NAMES) == list(order)
    assert page.locator("#runs th[aria-sort=descending]").text_content() == "Run"
    for text, left in (("learning_rate<0.05", "cb"), ("learning-rate > 0.01 adam", "a"), ("dev_loss>=0.2", "ca"),
                       ("optimiser=sgd", "c"), ("optimiser!=sgd", "ba"), ("nothing", ""), ("", "cba")):  # fmt: skip
        page.fill("#filter", text)
        assert page.evaluate(NAMES) == list(left), text
    page.select_option("#setting", "optimiser")
    page.select_option("#value", "sgd")
    assert page.evaluate(NAMES) == ["c"]
    page.select_option("#setting", "")
    until(page, "plot?.series.length === 7")  # three runs, each the lowest and the highest
    page.locator("#runs tbody tr", has_text="b").locator("input").uncheck()
    until(page, "plot?.series.length === 5")
    page.select_option("#figure", "dev_loss")
    until(page, "plot?.data[0].length === 2 && plot?.data[1].at(-1) === 0.2 || plot?.data[1].at(-1) === 0.3")
    page.select_option("#axis", "epoch")
    until(page, "plot?.data[0].at(-1) === 2")
    page.check("#log")
    until(page, "plot?.scales.y.distr === 3")


def test_a_part_is_seen_closer_by_pointer_and_by_keys(opened, made, tmp_path):
    one = made(tmp_path / "one", steps=100_000, epoch=10_000)
    one.grow(30_000)
    page = opened()
    until(page, "plot && plot?.data[0].at(-1) === 30000")
    assert page.evaluate("plot?.data[0].length") <= 1001
    box = page.locator("#chart .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.52, box["y"] + 60, steps=5)
    page.mouse.up()
    until(page, "closer.size === 1 && plot?.data[0].length > 500 && plot?.data[0][1] - plot?.data[0][0] === 1")
    assert 14_500 < page.evaluate("plot?.data[0][0]") < 15_500
    page.locator("#whole").click()
    until(page, "zoom === null && plot?.scales.x.max === 30000")
    page.locator("#chart").focus()
    page.keyboard.press("+")
    until(page, "zoom !== null && Math.abs(plot?.scales.x.max - plot?.scales.x.min - 15000) < 50")
    page.keyboard.press("0")
    until(page, "zoom === null")


def test_names_are_text(opened, made, tmp_path):
    name = MARKUP.replace("/", "")
    one = made(tmp_path / name, data=MARKUP, target=MARKUP)
    one.grow(100, **{f"dev_{MARKUP}": 1.0})
    one.find(MARKUP, proof={"text": MARKUP}, rule=MARKUP, remedies=[{"text": MARKUP}])
    made(tmp_path / "other").grow(60)
    page = opened()
    until(page, f"{NAMES}.length === 2 && document.querySelectorAll('#findings li').length === 1")
    assert name in page.evaluate(NAMES)
    assert MARKUP in page.locator("#findings li").text_content()
    assert page.locator("img").count() == 0
    assert page.title() == "2 running · Preceptor"


@pytest.mark.parametrize("width", [390, 1440])
def test_it_fits_a_phone_and_a_desk(opened, made, tmp_path, width):
    for number in range(3):
        made(tmp_path / f"a-run-with-a-long-name-{'x' * 40}-{number}", learning_rate=0.1 + number).grow(100)
    page = opened(width, 844)
    until(page, f"{NAMES}.length === 3 && plot")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#sort").is_visible() == (width == 390)


def test_it_connects_again_and_goes_on(opened, made, serve, tmp_path):
    one = made(tmp_path / "one")
    one.grow(20)
    page = opened()
    until(page, "plot && plot?.data[0].at(-1) === 20")
    page.context.set_offline(True)
    one.grow(20)
    page.context.set_offline(False)
    until(page, "plot?.data[0].at(-1) === 40")
