"""Pages in a browser that has no network: nothing is asked for, nothing is complained of, everything can be read."""

import pytest
from stories import STORIES

from preceptor.page import Page, render

# Contrast of every text that is shown with what lies behind it, by WCAG 2.2; of SVG texts with the page's paper.
CONTRASTS = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = each => (each /= 255) <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4;
  const weights = [0.2126, 0.7152, 0.0722];
  const light = ([r, g, b]) => [r, g, b].map(linear).reduce((sum, each, place) => sum + each * weights[place], 0);
  const behind = each => {
    for (; each; each = each.parentElement) {
      const colour = channels(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
  };
  const poor = [];
  for (const each of document.querySelectorAll("main *, nav *, footer *")) {
    if (!each.checkVisibility()) continue;
    if (![...each.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    if (each.closest("title, desc") || each.classList.contains("inv")) continue;
    const style = getComputedStyle(each);
    const ink = channels(each.closest("svg") ? style.fill : style.color);
    const [low, high] = [light(ink), light(behind(each))].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) poor.push([each.tagName, each.textContent.slice(0, 30), ratio]);
  }
  return poor;
}"""


FIRST_PAINT = """() => new Promise(done => new PerformanceObserver(
  list => list.getEntriesByName("first-contentful-paint").forEach(each => done(each.startTime))
).observe({type: "paint", buffered: true}))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pages")
    for name, story in STORIES.items():
        (made / f"{name}.html").write_text(render(story()), encoding="utf-8")
    return made


class Visit:
    """A page opened in a context of its own, and what came of it."""

    def __init__(self, browser, path, width=1440, scheme="light", scripts=True):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, java_script_enabled=scripts
        )
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda each: self.said.append(each.text))
        self.page.on("pageerror", lambda each: self.said.append(str(each)))
        self.page.on("request", lambda each: self.asked.append(each.url))
        self.page.goto(path.as_uri())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", STORIES)
def test_a_page_is_quiet_asks_for_nothing_and_fits(browser, folder, name, width, record_property):
    path = folder / f"{name}.html"
    with Visit(browser, path, width) as visit:
        page = visit.page
        assert visit.said == []
        assert [each for each in visit.asked if not each.startswith("data:")] == [path.as_uri()]
        wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1]
        record_property("first_paint_milliseconds", round(page.evaluate(FIRST_PAINT)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["adult", "pictures", "broken", "hostile"])
def test_every_text_can_be_read(browser, folder, name, scheme):
    with Visit(browser, folder / f"{name}.html", scheme=scheme) as visit:
        assert visit.page.evaluate(CONTRASTS) == []
        paper = visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 26)"}[scheme]


def test_curves_tell_exact_values_under_the_pointer_and_can_be_zoomed(browser, folder):
    with Visit(browser, folder / "adult.html") as visit:
        page = visit.page
        over = page.locator("figure.curve .u-over").first
        over.scroll_into_view_if_needed()
        box = over.bounding_box()
        page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 50)
        shown = page.locator("figure.curve .readout").first.inner_text()
        last = STORIES["adult"]().history[-1]
        assert shown == f"epoch 40 · train loss {last['train_loss']:.5g} · dev loss {last['dev_loss']:.5g}"
        assert page.locator("figure.curve .readout").nth(1).inner_text().startswith("epoch 40")
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 60, steps=4)
        page.mouse.up()
        page.mouse.move(box["x"] + 1, box["y"] + 50)
        assert int(page.locator("figure.curve .readout").first.inner_text().split()[1]) >= 20
        assert visit.said == []


def test_in_the_frame_of_a_notebook_the_curves_can_be_zoomed_too(browser, tmp_path):
    page = Page(render(STORIES["adult"]()))
    frame = page._repr_html_()
    path = tmp_path / "notebook.html"
    path.write_text(f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Notebook</title>{frame}')
    with Visit(browser, path) as visit:
        within = visit.page.frame_locator("iframe")
        assert within.locator("figure.curve .u-over").count() > 0
        assert visit.said == []


def test_without_scripts_the_curves_are_there(browser, folder):
    with Visit(browser, folder / "adult.html", scripts=False) as visit:
        assert visit.page.locator("figure.curve > svg").first.is_visible()
        assert visit.page.locator("button:visible").count() == 0


def test_in_print_the_curves_are_pictures_on_white(browser, folder):
    with Visit(browser, folder / "adult.html", scheme="dark") as visit:
        visit.page.emulate_media(media="print")
        assert visit.page.locator("figure.curve > svg").first.is_visible()
        assert visit.page.locator("figure.curve .plot:visible, .contents:visible, button:visible").count() == 0
        assert visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"


def test_paper_shows_what_was_checked_and_all_columns_of_the_rows(browser, folder):
    with Visit(browser, folder / "adult.html", width=794) as visit:  # A4
        visit.page.emulate_media(media="print")
        assert visit.page.locator(".checked li").first.is_visible()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 794


def test_a_keyboard_comes_first_to_the_way_past_the_contents_and_sees_where_it_is(browser, folder):
    with Visit(browser, folder / "adult.html") as visit:
        visit.page.keyboard.press("Tab")
        reached = visit.page.evaluate(
            "[document.activeElement.className, getComputedStyle(document.activeElement).outlineStyle]"
        )
        assert reached == ["skip", "solid"]
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate("document.activeElement.closest('nav').className") == "contents"


def test_commands_can_be_copied(browser, folder):
    with Visit(browser, folder / "adult.html") as visit:
        visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
        visit.page.locator(".command button").first.click()
        visit.page.get_by_role("button", name="Copied").wait_for()
        copied = visit.page.evaluate("navigator.clipboard.readText()")
        assert copied == STORIES["adult"]().findings[0].command
