"""Which names of a main module a worker finds, by the module's text."""

from __future__ import annotations

import pytest

from interp_api._pickling.main_names import _ALL, _names_in

GUARD = 'if __name__ == "__main__":'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(): pass\nf()\n", ()),
        ("", ()),
        ("def f():\n    if __name__ == '__main__': pass\n", ()),
        ("# if __name__ == '__main__':\nf = 1\n", ()),
        (f"def f(): pass\n{GUARD}\n    f()\n", _ALL),
        ("def f(): pass\nif '__main__' == __name__:\n    f()\n", _ALL),
        ("def f(): pass\nif __name__ != '__main__':\n    pass\nelse:\n    f()\n", _ALL),
        (f"def f(): pass\n{GUARD}\n    def g(): pass\n", {"f"}),
        (f"class A: pass\n{GUARD}\n    class B: pass\nelse:\n    c = 1\nx, (y, *z) = 1, (2, 3)\n", {*"Acxyz"}),
        (
            """
import a.b, c as d
from e import f
try:
    import g
except ImportError as exc:
    h: int = 1
with i as j:
    for k in l:
        m += 1
match n:
    case 1:
        o = 1
if __name__ == "__main__":
    p = namedtuple("p", "q")
""",
            {*"adfghjkmo"},
        ),
        (f"from a import *\n{GUARD}\n    def f(): pass\n", _ALL),
        (f"{GUARD}\n    def f(): pass\nthis is no Python", _ALL),
    ],
)
def test_names_are_found_that_are_bound_outside_of_the_guard(source, expected):
    assert _names_in(source.encode()) == expected
