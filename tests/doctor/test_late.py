"""Extension modules that another package imports when it is called."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from interp_pool.doctor.late import late_imports

SUFFIX = EXTENSION_SUFFIXES[0]


@pytest.fixture
def files(tmp_path):
    home = tmp_path / "lib"
    (home / "inner").mkdir(parents=True)
    (home / "__init__.py").write_text("")
    (home / f"native{SUFFIX}").touch()
    (home / "inner" / f"_fast{SUFFIX}").touch()
    (home / "parse.py").write_text("from . import other\ndef parse():\n    from . import native\n")
    return {"lib": str(home / "__init__.py"), "lib.parse": str(home / "parse.py"), "single": "/single.py"}


def found(files, *met):
    return [(each.function, each.module, each.names) for each in late_imports(files, {*met})]


def test_import_in_the_body_of_a_loaded_module_is_found(files):
    assert found(files) == [("lib.parse:parse", "lib", ("native",))]


def test_module_that_is_known_already_is_not(files):
    assert found(files, "lib.native") == []
    assert found(files, "lib.native", "lib.inner._fast") == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("def f():\n    import lib.inner._fast\n", True),
        ("def f():\n    from lib.inner._fast import x\n", True),
        ("def f():\n    from lib.inner import _faster\n", False),
        ("def f():\n    try:\n        import lib.inner._fast\n    except ImportError: pass\n", False),
        ("import lib.inner._fast\n", False),
        ("def f(:\n    import lib.inner._fast\n", False),
    ],
)
def test_only_what_a_function_cannot_do_without_counts(files, tmp_path, text, is_found):
    (tmp_path / "lib" / "parse.py").write_text(text)
    assert (found(files) != []) is is_found
