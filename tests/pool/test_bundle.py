"""Our own modules in a worker come from the bundle, and are what they would be from the file system."""

from __future__ import annotations

import builtins
import marshal
import sys
from importlib.machinery import SourceFileLoader
from types import SimpleNamespace

import pytest
import scripts
import tasks

import interp_api
from interp_pool import InterpreterPoolExecutor
from interp_pool._worker import unbundle
from interp_pool._workers import bundle
from interp_pool._workers.interpreters import _PACKAGE_PARENTS


@pytest.fixture
def made(monkeypatch):
    """A bundle that is there from the first interpreter on."""
    monkeypatch.setattr(bundle, "_made", [])
    bundle._make()
    assert bundle._made


@pytest.fixture
def none(monkeypatch):
    """No bundle, and nobody who makes one."""
    monkeypatch.setattr(bundle, "_made", [])
    monkeypatch.setattr(bundle, "_numbers", iter(range(2, 1000)))


def modules_of(executor):
    return {name: entry for name, entry in executor.submit(tasks.own_modules).result(60).items() if name != "tasks"}


def test_modules_are_the_same_as_from_the_file_system(made, monkeypatch):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        bundled = modules_of(executor)
    monkeypatch.setattr(bundle, "_made", [])
    monkeypatch.setattr(bundle, "_numbers", iter(range(2, 1000)))
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        executor.submit(eval, f"[__import__(name) for name in {bundle._NAMES!r}] and None").result(60)
        assert modules_of(executor) == bundled
    assert len(bundled) > 30
    assert {entry["loader"] for entry in bundled.values()} == {SourceFileLoader.__name__}


def test_modules_are_found_where_the_file_system_has_none(made):
    interpreter = interp_api.create()
    interp_api.claim(interpreter)
    try:
        interpreter.exec(f"import sys; sys.path[:] = [each for each in sys.path if each not in {_PACKAGE_PARENTS!r}]")
        bundle.note_new(interpreter)
        bundle.load_into(interpreter)
        assert interpreter.call(eval, "sum(name.startswith('interp_') for name in __import__('sys').modules)") > 30
    finally:
        interpreter.close()


def test_import_system_is_left_as_it_was(made):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        finders, importer = executor.submit(
            eval, "[str(each) for each in __import__('sys').meta_path], str(__builtins__['__import__'])"
        ).result(60)
    assert finders
    assert not [each for each in finders if "unbundle" in each]
    assert importer == "<built-in function __import__>"


def test_module_that_fails_leaves_nothing_behind():
    code = marshal.dumps(compile("import none_such_inside", "<module>", "exec"))
    codes = memoryview(marshal.dumps(compile("", "<package>", "exec")) + code)
    entries = {
        "of_a_bundle": ("/nowhere/__init__.py", None, ["/nowhere"], 0, len(codes) - len(code)),
        "of_a_bundle.failing": ("/nowhere/failing.py", None, None, len(codes) - len(code), len(codes)),
    }
    importer = builtins.__import__
    try:
        with pytest.raises(ModuleNotFoundError, match="none_such_inside"):
            unbundle.load(entries, codes, ("of_a_bundle.failing",))
        assert builtins.__import__ is importer
        assert "of_a_bundle.failing" not in sys.modules
        assert not hasattr(sys.modules["of_a_bundle"], "failing")
    finally:
        sys.modules.pop("of_a_bundle", None)
        sys.path_importer_cache.pop("/nowhere", None)


def test_source_of_a_bundled_module_is_found(made):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        line = executor.submit(tasks.source_of, "interp_pool._worker.loop", "serve").result(60)
    assert line.startswith("def serve(")


def test_second_interpreter_makes_the_bundle_and_the_others_have_it(monkeypatch):
    monkeypatch.setattr(bundle, "_made", [])
    monkeypatch.setattr(bundle, "_numbers", iter(range(1000)))
    bound = []
    fakes = [SimpleNamespace(id=-number, prepare_main=bound.append, exec=repr) for number in range(3)]
    for fake in fakes:
        bundle.note_new(fake)
    bundle.load_into(fakes[0])
    assert not bound
    for fake in (*fakes[1:], *fakes):  # once each
        bundle.load_into(fake)
    assert [[*names.values()] for names in bound] == [bundle._made] * 2


@pytest.mark.parametrize(
    "other",
    [
        None,
        SimpleNamespace(__spec__=None),
        SimpleNamespace(__spec__=SimpleNamespace(name="interp_api._wakeup.other", loader=object())),
        SimpleNamespace(
            __spec__=SimpleNamespace(
                name="interp_api._wakeup.other", loader=SourceFileLoader("interp_api.other", "/nowhere/other.py")
            )
        ),
    ],
    ids=["none", "without a spec", "from a zip file, say", "file that is gone"],
)
def test_module_that_has_no_source_file_means_no_bundle(monkeypatch, other):
    monkeypatch.setattr(bundle, "_made", [])
    monkeypatch.setitem(sys.modules, "interp_api._wakeup.other", other)
    bundle._make()
    assert not bundle._made


def test_workers_start_without_a_bundle(none):
    with InterpreterPoolExecutor(2, reuse=False) as executor:
        assert list(executor.map(tasks.identity, range(4))) == [0, 1, 2, 3]
    assert not bundle._made


@pytest.mark.programs
def test_packages_in_a_zip_file_work(tmp_path):
    script = """
import sys, pathlib, zipfile, interp_api, interp_pool
archive = pathlib.Path(__file__).with_name("ours.zip")
with zipfile.ZipFile(archive, "w") as target:
    for package in (interp_api, interp_pool):
        root = pathlib.Path(package.__file__).parent
        for path in root.rglob("*.py"):
            target.write(path, path.relative_to(root.parent))
code = '''
import sys
sys.path.insert(0, sys.argv[1])
import interp_pool
assert "ours.zip" in interp_pool.__file__
with interp_pool.InterpreterPoolExecutor(2) as executor:
    print(list(executor.map(abs, range(-3, 0))))
'''
import subprocess
print(subprocess.run([sys.executable, "-c", code, str(archive)], capture_output=True, text=True))
"""
    status, output, errors = scripts.run_text(tmp_path, script)
    assert (status, errors) == (0, "")
    assert "[3, 2, 1]" in output, output
