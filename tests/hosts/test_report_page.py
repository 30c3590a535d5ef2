"""The report of a trace in a browser: headless Chromium, which `tools/chromium` installs."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import wait

import pytest
import tasks

import interp_pool
from interp_pool import InterpreterPoolExecutor
from interp_pool.__main__ import main

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: tools/chromium installs it, as root"),
]

# What the page is like once it is laid out; the page itself has no script.
PROBE = """<script>
const root = document.documentElement, colour = getComputedStyle(document.body).backgroundColor;
const shapes = [...document.querySelectorAll("svg.timeline rect, svg.timeline path")];
const drawn = shapes.filter(each => each.getBBox().width > 0);
const cut = [...document.querySelectorAll("h1, h2, li, p")].filter(each => each.scrollWidth > each.clientWidth + 1);
document.title = [root.scrollWidth - root.clientWidth, drawn.length, cut.length, colour].join(" | ");
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    directory = tmp_path_factory.mktemp("page")
    with interp_pool.trace(directory / "run.json"), InterpreterPoolExecutor(2) as executor:
        futures = [executor.submit(tasks.spend, 0.002) for _ in range(30)]
        list(executor.map(tasks.identity, range(1000)))
        wait(futures)
    assert main(["report", str(directory / "run.json")]) == 0
    return directory / "run.html"


def chromium(page, *options):
    """Run Chromium, without a network, on a page; return what it prints."""
    own = page.parent / "chromium"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={own}"]
    flags += ["--host-resolver-rules=MAP * ~NOTFOUND", "--no-first-run", "--enable-logging=stderr"]
    done = subprocess.run(
        [CHROMIUM, *flags, *options, page.as_uri()], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr  # an error of the page
    return done.stdout


def laid_out(page, *options):
    """Return by how much the page is too wide, how much is drawn, how many texts are cut, and its background."""
    probed = page.with_name("probed.html")
    probed.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    title = re.search("<title>(.*?)</title>", chromium(probed, "--dump-dom", *options))[1]
    too_wide, drawn, cut, background = title.split(" | ")
    return int(too_wide), int(drawn), int(cut), background


@pytest.mark.parametrize("width", [420, 1160])
def test_page_is_laid_out_in_a_narrow_and_a_wide_window(page, width):
    too_wide, drawn, cut, _ = laid_out(page, f"--window-size={width},900")
    assert (too_wide, cut) == (0, 0)
    assert drawn > 30


def test_page_is_light_and_dark(page):
    backgrounds = {laid_out(page, f"--blink-settings=preferredColorScheme={scheme}")[3] for scheme in (0, 1)}
    assert backgrounds == {"rgb(255, 255, 255)", "rgb(20, 23, 27)"}


def test_picture_of_the_page_has_the_colours_of_its_tasks(page):
    image = pytest.importorskip("PIL.Image", reason="the dependency group `hosts` is not installed")
    picture = page.with_suffix(".png")
    chromium(page, "--window-size=800,900", f"--screenshot={picture}", "--blink-settings=preferredColorScheme=1")
    with image.open(picture) as opened:
        colours = {colour for _, colour in opened.convert("RGB").getcolors(1 << 20)}
    assert (0, 0x67, 0xA5) in colours
