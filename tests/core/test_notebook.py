"""What is done after a cell of IPython, with a stand-in for it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from interp_pool._process.notebook import watch_cells


class Events:
    def __init__(self):
        self.callbacks = []

    def register(self, event, callback):
        assert event == "post_run_cell"
        self.callbacks.append(callback)


def test_interrupt_that_ends_a_cell_is_told_once_and_no_other_error(monkeypatch):
    events, stopped = Events(), []

    def stop():
        stopped.append(1)

    shell = SimpleNamespace(events=events)
    monkeypatch.setattr("interp_pool._process.notebook._watching", [])
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    watch_cells(stop)
    watch_cells(stop)
    (look,) = events.callbacks
    for error in (None, ValueError(), KeyboardInterrupt()):
        look(SimpleNamespace(error_in_exec=error))
    assert stopped == [1]


def test_without_a_shell_nothing_is_watched(monkeypatch):
    for module in (None, SimpleNamespace(), SimpleNamespace(get_ipython=lambda: None)):
        monkeypatch.setitem(sys.modules, "IPython", module)
        watch_cells(lambda: None)
