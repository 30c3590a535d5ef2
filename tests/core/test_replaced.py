"""What was noted of refusals: what of it is told, and in which words."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from interp_pool._wire import known_packages
from interp_pool._wire.refused import describe_replacement, find_replaced, note_refusal

REFUSES = "module _fast does not support loading in subinterpreters"


@pytest.fixture
def loaded(monkeypatch):
    for name in ("package", "package.inner"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))


def noted(module="package._fast", importing=("package.inner", "package"), route="tasks:work"):
    return (f"module {module!r}", module, ("tasks.work()", *reversed(importing), module), None), importing, route


def test_note_is_made_of_a_refusal_alone_and_gives_it_the_full_name():
    assert note_refusal("package._fast", ImportError("cannot open shared object file"), None) is None
    assert note_refusal("package._fast", ValueError(REFUSES), None) is None
    exc = ImportError(REFUSES)
    assert note_refusal("package._fast", exc, None) == (
        ("module 'package._fast'", "package._fast", ("package._fast",), None),
        (),
        "module:function",
    )
    assert exc.name == "package._fast"


def test_note_has_the_calls_from_the_task_down_and_the_modules_that_are_imported():
    namespace = {"__name__": "importer", "note": note_refusal, "sys": sys, "exc": ImportError(REFUSES)}
    exec("found = note('package._fast', exc, sys._getframe())", namespace)
    refusal, importing, _ = namespace["found"]
    assert refusal[2][-2:] == ("importer", "package._fast")
    assert importing[0] == "importer"  # before what runs this test


def test_innermost_module_that_is_there_goes_on_without(loaded):
    [(refusal, user, route, others)] = find_replaced([noted()])
    assert (refusal[1], user, route, others) == ("package._fast", "package.inner", "tasks:work", ())
    del sys.modules["package.inner"]  # its import failed, and the package went on
    assert find_replaced([noted()])[0][1] == "package"
    del sys.modules["package"]
    assert find_replaced([noted()]) == []


def test_module_that_is_still_being_imported_does_not_count(loaded):
    class Spec:
        _initializing = True

    sys.modules["package.inner"].__spec__ = sys.modules["package"].__spec__ = Spec()
    assert find_replaced([noted()]) == []


def test_modules_of_a_package_are_told_together(loaded):
    several = [noted(), noted("package._faster"), noted(), noted("package._faster"), noted("package._third")]
    [(_, _, _, others)] = find_replaced(several)
    assert others == ("package._faster", "package._third")
    assert "(nor do 2 more of package)" in describe_replacement(find_replaced(several)[0])


def test_what_the_standard_library_goes_on_without_is_not_told(loaded):
    assert find_replaced([noted("readline")]) == []


def test_text_has_the_cost_where_that_was_measured(loaded, monkeypatch):
    text = describe_replacement(find_replaced([noted()])[0])
    assert ": what takes its place is mostly slower; " in text
    monkeypatch.setitem(known_packages.COSTS, "package", known_packages.Cost("package 1.0", "doing it", 7))
    text = describe_replacement(find_replaced([noted()])[0])
    assert ": doing it takes 7 times as long (package 1.0); " in text
    assert text.endswith('fallback="process", route=["tasks:work"]')


def test_table_is_of_wheels_without_extension_modules_and_of_real_costs():
    assert all(name.endswith("-none-any.whl") for name in known_packages.PURE_WHEELS.values())
    assert all(cost.factor >= 1 for cost in known_packages.COSTS.values())
    assert known_packages.pure_wheel_of("black.linegen").startswith("black-")
    assert known_packages.cost_of("unheard_of") == ""
