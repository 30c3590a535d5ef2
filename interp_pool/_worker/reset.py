"""What an interpreter forgets before it serves another executor; runs INSIDE it, once its worker has ended.

The rule: an executor never sees what the tasks of another one did to modules outside the standard library. Those are
removed, and the next executor imports them anew, as a new process would. Of the standard library, which stays loaded
because that is what makes a warm interpreter warm, what programs commonly change is set back. What cannot be set back
with certainty makes the interpreter unfit: it is closed.

Owns what is removed, what of the interpreter itself is set back, and what makes unfit. No worker pays for it before its
end. What is set back in the standard library is `_worker.standard_library`'s.
"""

import atexit
import builtins
import gc
import os
import sys
from types import FunctionType, ModuleType

from interp_pool._worker.standard_library import forget_loggers, forget_types, is_of_stdlib, loaded, reset_stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._worker.baseline import Baseline

_OURS = ("interp_api", "interp_pool")
_MAINS = ("__main__", "__mp_main__")
_STDLIB_FOLDERS = tuple(
    folder + os.sep
    for folder in (os.path.dirname(os.__file__), os.path.join(os.path.dirname(os.__file__), "lib-dynload"))
)
_PACKAGES = ("site-packages", "dist-packages")  # inside the standard library's folder, and not of it

# Exit functions that are not the tasks': the runtime runs them when it closes the interpreter, the last one first.
_LASTING_EXIT_FUNCTIONS = (
    ("_thread", "_shutdown"),
    ("interp_api._interpreters.guards", "_close_leftovers"),
    ("interp_api._wakeup.boxes", "_end"),
    ("interp_api._pickling.descriptors", "_close_what_was_sent"),
    ("interp_pool._futures.unread", "_tell_what_is_left"),
    ("interp_pool._process.hooks", "_at_exit_again"),
    ("weakref", "finalize._exitfunc"),
    ("logging", "shutdown"),
    ("multiprocessing.util", "_exit_function"),
)


def is_spoilt(baseline: "Baseline") -> bool:
    """Return whether this interpreter is in a state in which others would fail, or not be measured."""
    if baseline.is_measured:
        return True  # its exit functions end what measures it, and only a new interpreter is measured again
    modules = sys.modules
    if any(modules.get(name) is not module for name, module in baseline.modules.items() if name not in _MAINS):
        return True
    new_errors = baseline.codec_errors.difference(baseline.error_handlers)
    if new_errors and not hasattr(baseline.modules["_codecs"], "_unregister_error"):
        return True  # CPython 3.13 cannot forget one
    if any(stream is not None and stream.closed for stream in (baseline.sys["stdout"], baseline.sys["stderr"])):
        return True
    return any(
        is_of_stdlib(name) and not _is_genuine(name, module)
        for name, module in modules.items()
        if name not in baseline.modules
    )


def reset(baseline: "Baseline", *, keep_modules: bool) -> bool:
    """Run the tasks' exit functions, and forget what they have left; return whether the interpreter can serve others.

    Args:
        baseline: of this interpreter.
        keep_modules: whether modules outside the standard library stay.
    """
    baseline.has_garbage = False
    _run_exit_functions()
    if not keep_modules and not _forget_modules(baseline):
        return False
    _reset_runtime(baseline)
    reset_stdlib(baseline)
    return not _is_patched(baseline)


def _is_patched(baseline: "Baseline") -> bool:
    """Return whether a function or class of the program stands in a module of the standard library."""
    is_foreign: dict[object, bool] = {None: False, "builtins": False, "__mp_main__": True, "__main__": True}
    for name in [*baseline.modules, *_OURS]:
        is_foreign.setdefault(name, False)
    for name, module in [*sys.modules.items()]:
        if not is_of_stdlib(name) or name.startswith("_"):
            continue  # classes made in C may say that they are anywhere
        for value in [*module.__dict__.values()]:
            if type(value) is FunctionType or type(value) is type:
                home = value.__module__
                foreign = is_foreign.get(home)
                if foreign is None:
                    foreign = is_foreign[home] = not is_of_stdlib(str(home)) and not str(home).startswith(_OURS)
                if foreign:
                    return True
    return False


def _is_genuine(name: str, module: object) -> bool:
    """Return whether a module is what an import of the name would give: no stand-in, and no file of the program's."""
    if not isinstance(module, ModuleType):
        return False
    spec = module.__spec__
    if spec is None:
        return "." in name  # such as pyexpat.errors, which its parent makes
    if spec.origin is None or not spec.has_location:
        return True  # built in, frozen, or a folder without a file of its own
    return spec.origin.startswith(_STDLIB_FOLDERS) and not any(part in spec.origin for part in _PACKAGES)


def _forget_modules(baseline: "Baseline") -> bool:
    """Remove modules outside the standard library, and what they have put into it; return whether that can be done."""
    modules = sys.modules
    foreign = [
        name
        for name in modules
        if name not in baseline.modules
        and not is_of_stdlib(name)
        and name.partition(".")[0] not in _OURS
        and name not in _MAINS
    ]
    if any(_is_extension(modules[name]) for name in foreign):
        return False  # many of them can be loaded once in an interpreter, or keep what they know in the C library
    for name in foreign:
        del modules[name]
    _restore(builtins.__dict__, baseline.builtins)
    for each, content in baseline.finders:
        each[:] = content
    _forget_reducers(baseline)
    if (logging := loaded("logging")) is not None:
        forget_loggers(logging)
    if (typing := loaded("typing")) is not None:
        forget_types(typing)
    baseline.has_garbage = bool(foreign)
    return True


def _is_extension(module: object) -> bool:
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return type(loader).__name__ == "ExtensionFileLoader"


class _Listener:
    """Compares itself to nothing, and remembers with what it was compared."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.met: list[object] = []

    def __eq__(self, other: object) -> bool:
        self.met.append(other)
        return False


def _registered_exit_functions() -> list[object]:
    """Return what `atexit` would call: it tells nobody, but compares each with what is to be unregistered."""
    listener: Any = _Listener()
    atexit.unregister(listener)
    return listener.met  # type: ignore[no-any-return]  # what it met


def _run_exit_functions() -> None:
    """Run what tasks have registered with `atexit` and `weakref.finalize`, as the end of a process would."""
    kept: list[Callable[..., object]] = []
    registered = _registered_exit_functions()
    for module, name in _LASTING_EXIT_FUNCTIONS:
        function: Any = loaded(module)
        if function is None:
            continue
        for part in name.split("."):
            function = getattr(function, part)
        if function in registered:
            atexit.unregister(function)
            kept.append(function)
    weakref = loaded("weakref")
    if weakref is not None:
        weakref.finalize._exitfunc()
        weakref.finalize._shutdown = False  # which is this interpreter's last deed elsewhere
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]  # what the end of the interpreter would do
    for function in kept:
        atexit.register(function)


def _reset_runtime(baseline: "Baseline") -> None:
    """Set back what belongs to the interpreter itself."""
    _restore(sys.__dict__, baseline.sys)
    for each, content in baseline.lists:
        each[:] = content
    recursion_limit, switch_interval, most_digits = baseline.limits
    sys.setrecursionlimit(recursion_limit)
    sys.setswitchinterval(switch_interval)
    sys.set_int_max_str_digits(most_digits)
    is_collecting, thresholds = baseline.gc_state
    (gc.enable if is_collecting else gc.disable)()
    gc.set_threshold(*thresholds)
    gc.set_debug(0)
    gc.unfreeze()
    gc.callbacks[:] = baseline.gc_callbacks
    gc.garbage.clear()
    for tool in range(6):
        if sys.monitoring.get_tool(tool) is not None:
            sys.monitoring.set_events(tool, 0)
            sys.monitoring.free_tool_id(tool)
    # The folders are read anew: a file that came since is found, as a new process finds it.
    sys.path_importer_cache.clear()


def _restore(names: "dict[str, Any]", content: "dict[str, Any]") -> None:
    """Give a namespace the content it had. Compares by identity: the values' own code is not run."""
    for name in [name for name in names if name not in content]:
        del names[name]
    for name, value in content.items():
        if names.get(name) is not value:
            names[name] = value


def _forget_reducers(baseline: "Baseline") -> None:
    """Forget how to pickle what is not the standard library's."""
    copyreg: Any = baseline.modules["copyreg"]

    def is_foreign(obj: "Any") -> bool:
        return not is_of_stdlib(str(getattr(obj, "__module__", "")))

    for kind, reduce in [*copyreg.dispatch_table.items()]:
        if is_foreign(kind) or is_foreign(reduce):
            del copyreg.dispatch_table[kind]
    copyreg.dispatch_table.update(baseline.reducers)
    for (module, name), code in [*copyreg._extension_registry.items()]:
        copyreg.remove_extension(module, name, code)
