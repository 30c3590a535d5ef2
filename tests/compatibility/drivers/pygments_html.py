"""Pygments: highlight files, in the order in which they are done."""

import hashlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer


def render(path):
    html = highlight(path.read_text(encoding="utf-8"), PythonLexer(), HtmlFormatter(linenos=True))
    return str(path), hashlib.sha256(html.encode()).hexdigest()


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        futures = [pool.submit(render, path) for path in sorted(Path("src").glob("**/*.py"))]
        for future in as_completed(futures):
            print(*future.result())
