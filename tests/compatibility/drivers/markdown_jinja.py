"""Markdown and Jinja: a small site, pages written by the workers."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import jinja2
import markdown

PAGE = jinja2.Environment(autoescape=True).from_string("<h1>{{ title }}</h1>{{ body|safe }}<p>{{ words|join(', ') }}")
TEXT = """\
# Part {part}

*Some* text, `code` and a [link](https://example.org/{part}).

| a | b |
|---|---|
| 1 | {part} |

"""


def render(number):
    text = "".join(TEXT.format(part=part) for part in range(number, number + 60))
    body = markdown.markdown(text, extensions=["tables", "toc"])
    page = PAGE.render(title=f"Page <{number}>", body=body, words=sorted(set(text.split())))
    Path(f"page-{number}.html").write_text(page, encoding="utf-8")
    return len(page)


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(render, range(24))))
