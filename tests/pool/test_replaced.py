"""Modules that go on without an extension module that refuses: that they do is told, once in a process."""

from __future__ import annotations

from functools import partial

import pytest
import refused_tasks
import refusing
from records import warnings_of

from interp_pool import InterpreterPoolExecutor
from interp_pool._wire import refused


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch):
    monkeypatch.setattr(refused, "_warned", set())


@pytest.fixture
def native(tmp_path, monkeypatch):
    """Make the package `accelerated`, which goes on without its extension module; return that one's name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return refusing.write_package(tmp_path, "accelerated")


def told(native, chain, route):
    return (
        f"module {native!r} does not support subinterpreters, and 'accelerated' goes on without it in workers "
        f"({chain}accelerated -> {native}): what takes its place is mostly slower; to have it, send the task to a "
        f'process: fallback="process", route=["{route}"]'
    )


def test_warning_is_given_once_in_a_process(native, logged):
    for _ in range(2):
        with InterpreterPoolExecutor(2, reuse=False) as executor:
            futures = [executor.submit(refused_tasks.import_all, "accelerated") for _ in range(20)]
        assert [future.exception() for future in futures] == [None] * 20
    chain = "refused_tasks.import_all() -> refused_tasks.by_name() -> "
    assert warnings_of(logged) == [told(native, chain, "refused_tasks:import_all")]


def test_warning_is_there_before_the_result(native, logged):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        executor.submit(refused_tasks.import_all, "accelerated").result(60)
        assert len(warnings_of(logged)) == 1


def test_warning_is_given_for_a_map(native, logged):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        list(executor.map(partial(refused_tasks.import_at, "accelerated"), range(40), chunksize=20))
    assert len(warnings_of(logged)) == 1


def test_warning_is_given_for_what_an_initializer_imports(native, logged):
    initializer = refused_tasks.import_all
    with InterpreterPoolExecutor(1, reuse=False, initializer=initializer, initargs=("accelerated",)) as executor:
        executor.submit(len, "").result(60)
        assert len(warnings_of(logged)) == 1


def test_warning_for_what_the_function_needs_names_its_module(tmp_path, native, logged):
    (tmp_path / "needs_accelerated.py").write_text("import accelerated\ndef function(): return 1\n")
    import needs_accelerated

    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert executor.submit(needs_accelerated.function).result(60) == 1
    assert warnings_of(logged) == [told(native, "needs_accelerated -> ", "needs_accelerated.*")]


def test_error_of_the_same_module_is_told_alone(native, logged):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        exc = executor.submit(refused_tasks.import_and_fail, "accelerated", native).exception(60)
    assert exc.name == native
    assert warnings_of(logged) == [str(exc)]


def test_traceback_shows_no_frame_of_who_notes_it(native):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        exc = executor.submit(refused_tasks.by_name, native).exception(60)
    assert "baseline" not in str(exc.__cause__)
    assert "in load" not in str(exc.__cause__)
    assert str(exc).count("->") == 1


def test_warning_is_not_given_for_what_the_standard_library_goes_on_without(logged):
    """It is no slower for that: `code` may have `readline`."""
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        executor.submit(refused_tasks.import_all, "pdb", "code", "rlcompleter").result(60)
    assert warnings_of(logged) == []


def test_warning_is_not_given_when_the_task_itself_goes_on(tmp_path, monkeypatch, logged):
    monkeypatch.syspath_prepend(str(tmp_path))
    native = refusing.write_package(tmp_path, "plain", init="")
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert executor.submit(refused_tasks.handled_by_name, native).result(60) == "done without"
    assert warnings_of(logged) == []
