"""Errors that a task has only because it runs in a worker have a note that says what to do."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from interp_pool._wire.decoding import decode_failure
from interp_pool._wire.failures import encode_failure


def notes_of(exc):
    """Return the notes that an exception has on the other side."""
    try:
        raise exc
    except BaseException as raised:
        return getattr(decode_failure(encode_failure(raised)), "__notes__", [])


@pytest.mark.parametrize(
    ("exc", "remedy"),
    [
        (RuntimeError("preexec_fn not supported within subinterpreters"), "start_new_session"),
        (RuntimeError("fork not supported for isolated subinterpreters"), "os.posix_spawn"),
        (RuntimeError("fork not supported for subinterpreters"), "os.posix_spawn"),
        (RuntimeError("exec not supported for isolated subinterpreters"), "use subprocess"),
        (RuntimeError("daemon threads are disabled in this (sub)interpreter"), "daemon=False"),
        (RuntimeError("daemon threads are disabled in this interpreter"), "daemon=False"),
        (ValueError("signal only works in main thread of the main interpreter"), "options(timeout=...)"),
        (RuntimeError("set_wakeup_fd only works in main thread of the main interpreter"), "options(timeout=...)"),
    ],
)
def test_what_the_runtime_refuses_in_a_worker_is_told_with_the_remedy(exc, remedy):
    """Kozea/Radicale#1163, pnpnpn/timeout-decorator#75 and others met the bare texts."""
    route, note = notes_of(exc)
    assert 'fallback="process"' in route
    assert remedy in note


def test_refusal_behind_another_error_is_told_too():
    exc = ValueError("cannot start the helper")
    exc.__cause__ = RuntimeError("fork not supported for isolated subinterpreters")
    (note,) = notes_of(exc)
    assert "os.posix_spawn" in note


@pytest.fixture
def main(monkeypatch):
    """A main module in which `data` was set, and this file its file."""
    module = ModuleType("__main__")
    module.__file__, module.data = __file__, [1]
    monkeypatch.setitem(sys.modules, "__main__", module)


@pytest.mark.usefixtures("main")
def test_name_that_the_program_alone_has_is_told():
    """ungoogled-software/ungoogled-chromium#3866: what is set before a fork is there with no other start method."""
    (note,) = notes_of(NameError("name 'data' is not defined", name="data"))
    assert note.startswith("'data' is set in the program alone")
    assert "initializer=" in note


@pytest.mark.usefixtures("main")
@pytest.mark.parametrize("exc", [NameError("name 'other' is not defined"), NameError(), KeyError("data")])
def test_other_errors_have_no_note(exc):
    assert notes_of(exc) == []


@pytest.mark.usefixtures("main")
def test_name_missing_in_another_file_has_no_note():
    with pytest.raises(NameError) as info:
        exec(compile("data", "elsewhere.py", "exec"), {})
    assert getattr(decode_failure(encode_failure(info.value)), "__notes__", []) == []
