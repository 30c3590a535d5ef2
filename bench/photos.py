"""The picture of a report in docs/howto/tracing.md: `python bench/photos.py docs/howto/report-page.png`.

Traces some work that stands for editing photographs, makes the report, and has Chromium draw its upper part. To be run
where nothing else does, on two processors: the advice that it shows is about this run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import interp_pool
from interp_pool import InterpreterPoolExecutor
from interp_pool.__main__ import main as command

SIZE = "1100,985"  # of the picture, in pixels


def sharpen(photo: int) -> int:
    return sum(n * n % 7 for n in range(60_000 + 10_000 * (photo % 9)))


def rotate(photo: int) -> int:
    return sum(n % 3 for n in range(10_000 + photo))


def index(photo: int) -> int:
    return photo % 7


def panorama(_photos: int) -> int:
    return sum(n * n % 5 for n in range(3_000_000))


def edit(path: Path) -> None:
    with interp_pool.trace(path), InterpreterPoolExecutor(2) as ex:
        futures = [*(ex.submit(sharpen, n) for n in range(80)), *(ex.submit(rotate, n) for n in range(100))]
        list(ex.map(index, range(3_000)))
        for future in futures:
            future.result()
        ex.options(timeout=0.2).submit(panorama, 1).exception()
        ex.submit(panorama, 2).result()


def main() -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if len(sys.argv) != 2 or browser is None:
        sys.exit("usage: python bench/photos.py PICTURE.png; it needs Chromium, which tools/chromium installs")
    picture = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as directory:
        trace = Path(directory, "photos.json")
        edit(trace)
        if command(["report", str(trace)]):
            sys.exit("there is no report")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={directory}/own"]
        page = trace.with_suffix(".html").as_uri()
        subprocess.run(
            [browser, *flags, f"--window-size={SIZE}", f"--screenshot={picture}", page], check=True, capture_output=True
        )
    print(picture)


if __name__ == "__main__":
    main()
