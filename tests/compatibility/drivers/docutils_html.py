"""docutils: pages written by the workers."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from docutils.core import publish_string

PAGE = """
Page {number}
=============

Some *text* with ``code`` and a `link <https://example.org/{number}>`_.

.. list-table::

{rows}
"""


def render(number):
    rows = "\n".join(f"   * - row {row}\n     - {row * number}" for row in range(120))
    html = publish_string(
        PAGE.format(number=number, rows=rows), writer="html5", settings_overrides={"stylesheet_path": ""}
    )
    Path(f"page-{number}.html").write_bytes(html)
    return len(html)


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(render, range(16))))
