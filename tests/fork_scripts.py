"""The beginning that all scripts with forks share, and running them."""

from __future__ import annotations

import scripts

HEAD = """
import os, sys, threading, warnings
at_last = []  # functions called after the hooks of the packages, just before the fork
at_first = []  # functions called in the parent just after the fork, before the hooks of the packages
os.register_at_fork(
    before=lambda: [function() for function in at_last], after_in_parent=lambda: [function() for function in at_first]
)
from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor
import interp_api
from interp_api import create_queue
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def fork(in_child):
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        try:
            in_child()
        finally:
            sys.stdout.flush()
            os._exit(0)
    return wait(pid)

class Held:
    '''A function that is held before or after its first call, until it is let go.'''
    def __init__(self, owner, name, is_before=True):
        self.reached, self.go, self.original = threading.Event(), threading.Event(), getattr(owner, name)
        self.is_before, self.owner, self.name = is_before, owner, name
        setattr(owner, name, lambda *args, **kwargs: self(*args, **kwargs))
    def __call__(self, *args, **kwargs):
        setattr(self.owner, self.name, self.original)
        if self.is_before:
            self.hold()
        result = self.original(*args, **kwargs)
        if not self.is_before:
            self.hold()
        return result
    def hold(self):
        self.reached.set()
        assert self.go.wait(30)
"""


def run(tmp_path, text):
    """Run a script after HEAD; return (status, output, errors)."""
    return scripts.run_text(tmp_path, HEAD + text)
