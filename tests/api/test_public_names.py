"""The package's names, and what loading them costs."""

from __future__ import annotations

import sys

import pytest

import interp_api

DOCUMENTED = [
    "ExecutionFailed",
    "Interpreter",
    "InterpreterError",
    "InterpreterNotFoundError",
    "ItemInterpreterDestroyed",
    "NotShareableError",
    "Queue",
    "QueueEmpty",
    "QueueEmptyError",
    "QueueError",
    "QueueFull",
    "QueueFullError",
    "QueueNotFoundError",
    "ShutDown",
    "UNBOUND",
    "UNBOUND_ERROR",
    "UNBOUND_REMOVE",
    "create",
    "create_queue",
    "get_current",
    "get_main",
    "is_shareable",
    "list_all",
]
HEAVY = {"concurrent.futures", "logging", "dataclasses", "traceback", "typing", "pickle", "multiprocessing", "asyncio"}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_name_is_public(name):
    assert name in interp_api.__all__
    assert name in dir(interp_api)
    assert getattr(interp_api, name) is getattr(interp_api, name)


def test_every_public_name_can_be_loaded():
    for name in interp_api.__all__:
        getattr(interp_api, name)


def test_unknown_name_is_refused_as_by_any_module():
    with pytest.raises(AttributeError, match="module 'interp_api' has no attribute 'nothing'"):
        interp_api.nothing  # noqa: B018


@pytest.mark.programs
def test_package_itself_loads_nothing(run_python):
    ended = run_python("-S", "-c", f"""
import sys
sys.path.extend({list(sys.path)!r})
before = set(sys.modules)
import sys

import interp_api
print(sorted(set(sys.modules) - before))
""")  # fmt: skip
    assert ended.out == "['interp_api']\n", ended


@pytest.mark.programs
def test_called_interpreter_has_loaded_nothing_heavy(run_script):
    ended = run_script("""
        import interp_api

        def loaded():
            import sys
            return sorted(sys.modules)

        print(*interp_api.create().call(loaded), sep="\\n")
    """)
    modules = set(ended.out.splitlines())
    assert "interp_api._pickling.codec" in modules
    assert not HEAVY & modules


def test_kinds_of_unbound_items_are_what_they_were_after_a_journey(interpreter):
    for kind in (interp_api.UNBOUND, interp_api.UNBOUND_ERROR, interp_api.UNBOUND_REMOVE):
        assert interpreter.call(lambda kind: kind, kind) is kind
    assert repr(interp_api.UNBOUND) == "interp_api.UNBOUND"
