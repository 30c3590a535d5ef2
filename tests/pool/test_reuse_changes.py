"""What tasks change in their interpreter, one thing after another: the next executor in it does not see it."""

from __future__ import annotations

import pytest
import reuse_tasks
from executors import both, run

from interp_pool import InterpreterPoolExecutor
from interp_pool._workers.reserve import reserve

# What a task does, and an expression that tells whether the next executor sees it.
CHANGES = {
    "sys.path": ("import sys; sys.path.insert(0, '/nowhere')", "import_module('sys').path"),
    "sys.path bound anew": ("import sys; sys.path = ['/nowhere']", "import_module('sys').path"),
    "sys.argv": ("import sys; sys.argv[:] = ['spoilt']", "import_module('sys').argv"),
    "sys.meta_path": ("import sys; sys.meta_path.insert(0, object())", "len(import_module('sys').meta_path)"),
    "sys.path_hooks": ("import sys; sys.path_hooks.clear()", "len(import_module('sys').path_hooks)"),
    "name in sys": ("import sys; sys.frozen = True", "hasattr(import_module('sys'), 'frozen')"),
    "recursion limit": ("import sys; sys.setrecursionlimit(5000)", "import_module('sys').getrecursionlimit()"),
    "switch interval": ("import sys; sys.setswitchinterval(0.1)", "import_module('sys').getswitchinterval()"),
    "digits": ("import sys; sys.set_int_max_str_digits(0)", "import_module('sys').get_int_max_str_digits()"),
    "bytecode": ("import sys; sys.dont_write_bytecode ^= True", "import_module('sys').dont_write_bytecode"),
    "excepthook": ("import sys; sys.excepthook = print", "import_module('sys').excepthook.__name__"),
    "unraisablehook": ("import sys; sys.unraisablehook = print", "import_module('sys').unraisablehook.__name__"),
    "displayhook": ("import sys; sys.displayhook = print", "import_module('sys').displayhook.__name__"),
    "stdout": ("import io, sys; sys.stdout = io.StringIO()", "import_module('sys').stdout.fileno()"),
    "stderr": ("import io, sys; sys.__stderr__ = sys.stderr = io.StringIO()", "import_module('sys').stderr.fileno()"),
    "no stdout": ("import sys; sys.stdout = None", "import_module('sys').stdout is None"),
    "trace of threads": (
        "import threading; threading.settrace(print); threading.setprofile(print)",
        "(import_module('threading').gettrace(), import_module('threading').getprofile())",
    ),
    "trace": ("import sys; sys.settrace(lambda *args: None)", "import_module('sys').gettrace()"),
    "profile": ("import sys; sys.setprofile(lambda *args: None)", "import_module('sys').getprofile()"),
    "monitoring": (
        "import sys; sys.monitoring.use_tool_id(3, 'mine'); sys.monitoring.set_events(3, 1)",
        "import_module('sys').monitoring.get_tool(3)",
    ),
    "threading.excepthook": (
        "import threading; threading.excepthook = print",
        "import_module('threading').excepthook is import_module('threading').__excepthook__",
    ),
    "stack size": ("import threading; threading.stack_size(1 << 20)", "import_module('threading').stack_size()"),
    "gc off": ("import gc; gc.disable()", "import_module('gc').isenabled()"),
    "gc threshold": ("import gc; gc.set_threshold(1)", "import_module('gc').get_threshold()"),
    "gc debug": ("import gc; gc.set_debug(gc.DEBUG_COLLECTABLE)", "import_module('gc').get_debug()"),
    "gc callbacks": ("import gc; gc.callbacks.append(lambda *args: None)", "len(import_module('gc').callbacks)"),
    "environment": ("import os; os.environ['REUSED'] = 'yes'", "import_module('os').environ.get('REUSED')"),
    "environment without": ("import os; os.environ.pop('PATH')", "import_module('os').environ.get('PATH')"),
    "environment emptied": ("import os; os.environ.clear()", "len(import_module('os').environ)"),
    "builtin": ("import builtins; builtins.print = None", "print.__name__"),
    "name in builtins": ("import builtins; builtins._ = str", "'_' in dir(import_module('builtins'))"),
    "warning filters": (
        "import warnings; warnings.simplefilter('error'); warnings.warn_explicit",
        "[(each[0], each[2].__name__) for each in import_module('warnings').filters]",
    ),
    "showwarning": (
        "import warnings; warnings.showwarning = print; warnings.formatwarning = print",
        "(import_module('warnings').showwarning.__name__, import_module('warnings').formatwarning.__name__)",
    ),
    "logging level": (
        "import logging; logging.basicConfig(level=10, force=True)",
        "(import_module('logging').root.level, import_module('logging').root.handlers)",
    ),
    "logger": (
        "import logging; log = logging.getLogger('a.b'); log.setLevel(1); log.propagate = False; log.disabled = True",
        (
            "(import_module('logging').getLogger('a.b').level, import_module('logging').getLogger('a.b').propagate,"
            " import_module('logging').getLogger('a.b').disabled)"
        ),
    ),
    "logger of the standard library": (
        "import asyncio, logging; log = asyncio.log.logger; log.setLevel(1); log.addFilter(print)",
        (
            "(import_module('asyncio').log.logger.level, import_module('asyncio').log.logger.filters,"
            " import_module('asyncio').log.logger is import_module('logging').getLogger('asyncio'))"
        ),
    ),
    "logging disabled": ("import logging; logging.disable()", "import_module('logging').root.manager.disable"),
    "logger class": (
        "import logging; logging.setLoggerClass(type('Mine', (logging.Logger,), {}))",
        "type(import_module('logging').getLogger('c.d')).__name__",
    ),
    "record factory": (
        "import logging; logging.setLogRecordFactory(print)",
        "import_module('logging').getLogRecordFactory().__name__",
    ),
    "level names": (
        "import logging; logging.addLevelName(10, 'X'); logging.addLevelName(25, 'Y')",
        "(import_module('logging').getLevelName(10), import_module('logging').getLevelName(25))",
    ),
    "warnings captured": (
        "import logging; logging.captureWarnings(True)",
        "import_module('warnings').showwarning.__module__ == 'logging'",
    ),
    "decimal context": (
        "import decimal; decimal.getcontext().prec = 3",
        "import_module('decimal').getcontext().prec",
    ),
    "decimal default": (
        (
            "import decimal\nfor each in (decimal.DefaultContext, decimal.BasicContext, decimal.ExtendedContext):\n"
            "    each.prec = 3; each.rounding = decimal.ROUND_UP; each.traps[decimal.Inexact] = True; each.Emax = 9\n"
            "    each.flags[decimal.Inexact] = True; each.capitals = 0; each.clamp = 1; each.Emin = -9"
        ),
        (
            "[repr(getattr(import_module('decimal'), name)) for name in"
            " ('DefaultContext', 'BasicContext', 'ExtendedContext')]"
        ),
    ),
    "codec errors": (
        "import codecs; codecs.register_error('strict', lambda error: ('?', error.end))",
        "import_module('codecs').lookup_error('strict').__name__",
    ),
    "codec": (
        "import codecs; codecs.register(lambda name: codecs.lookup('utf-8') if name == 'mine' else None)",
        "import_module('reuse_tasks').knows_codec('mine')",
    ),
    "csv": (
        "import csv; csv.register_dialect('mine', delimiter=';'); csv.field_size_limit(10)",
        "(import_module('csv').list_dialects(), import_module('csv').field_size_limit())",
    ),
    "XML namespace": (
        "import xml.etree.ElementTree as tree; tree.register_namespace('mine', 'http://mine')",
        "sorted(import_module('xml.etree.ElementTree')._namespace_map)",
    ),
    "temporary folder": ("import tempfile; tempfile.tempdir = '/nowhere'", "import_module('tempfile').gettempdir()"),
    "MIME types": (
        "import mimetypes; mimetypes.add_type('x/mine', '.mine')",
        "import_module('mimetypes').guess_type('x.mine')",
    ),
    "socket timeout": ("import socket; socket.setdefaulttimeout(5)", "import_module('socket').getdefaulttimeout()"),
    "opener": (
        "import urllib.request; urllib.request.install_opener(object())",
        "import_module('urllib.request')._opener",
    ),
    "https context": (
        "import ssl; ssl._create_default_https_context = ssl._create_unverified_context",
        "import_module('ssl')._create_default_https_context.__name__",
    ),
    "copyreg": (
        "import copyreg; copyreg.pickle(memoryview, lambda view: (bytes, (b'',)))",
        "memoryview in import_module('copyreg').dispatch_table",
    ),
    "copyreg of the standard library": (
        "import copyreg; copyreg.pickle(complex, lambda number: (int, (5,)))",
        "import_module('copyreg').dispatch_table[complex].__name__",
    ),
    "copyreg extension": (
        "import copyreg; copyreg.add_extension('reuse_tasks', 'state', 200)",
        "import_module('copyreg')._extension_registry",
    ),
    "module global": ("import reuse_tasks; reuse_tasks.set_state('old')", "import_module('reuse_tasks').STATE"),
    "module made": (
        "import sys, types; sys.modules['made_up'] = types.ModuleType('made_up')",
        "'made_up' in import_module('sys').modules",
    ),
    "module hidden": (
        "import sys; sys.modules['interp_of_nobody'] = None",
        "'interp_of_nobody' in import_module('sys').modules",
    ),
    "main": ("import __main__; __main__.left = 1", "hasattr(import_module('__main__'), 'left')"),
    "lines of sources": (
        "import linecache; linecache.cache['/nowhere.py'] = (1, None, ['old'], '/nowhere.py')",
        "import_module('linecache').getline('/nowhere.py', 1)",
    ),
}


@pytest.fixture(scope="module")
def new():
    """What the expressions are in a new interpreter."""
    expressions = [expression for _, expression in (*CHANGES.values(), *PATCHES.values())]
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        return {each: executor.submit(reuse_tasks.look, each).result(60) for each in expressions}


@pytest.mark.parametrize(("text", "expression"), CHANGES.values(), ids=CHANGES.keys())
def test_next_executor_does_not_see_what_was_changed(new, text, expression):
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(reuse_tasks.change, text).result(60)
    ((_, interpreter, _),) = reserve._idle
    first = interpreter.id
    assert both(reuse_tasks.look, expression) == (first, new[expression])
    run(abs, -1, initializer=reuse_tasks.change, initargs=(text,))
    assert both(reuse_tasks.look, expression) == (first, new[expression])


# What nothing can set back, if only on CPython 3.13: the next executor gets another interpreter.
PATCHES = {
    "codec errors of its own": (
        "import codecs; codecs.register_error('mine', codecs.ignore_errors)",
        "import_module('reuse_tasks').knows_error('mine')",
    ),
    "function": ("import json, reuse_tasks; json.dumps = reuse_tasks.look", "import_module('json').dumps.__name__"),
    "lambda": (
        "import time; time.sleep = eval('lambda seconds: 5', {'__name__': 'x'})",
        "import_module('time').sleep(0)",
    ),
    "class": (
        "import decimal; decimal.Decimal = type('D', (), {'__module__': 'x'})",
        "import_module('decimal').Decimal(1) + 1",
    ),
    "builtin": ("import builtins; builtins.len = lambda obj: 42", "len([])"),
}


@pytest.mark.parametrize(("text", "expression"), PATCHES.values(), ids=PATCHES.keys())
def test_next_executor_does_not_see_a_patch_of_the_standard_library(new, text, expression):
    run(reuse_tasks.change, text)
    assert run(reuse_tasks.look, expression) == new[expression]
