"""Run a program in this process as `python` itself would.

This file owns what a program finds: `__main__`, `sys.argv`, `sys.path[0]`; and that its exceptions leave it as they
would leave Python: same traceback, same exit status. It must not know what is done to the program.
"""

import builtins
import os
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType, TracebackType

from interp_pool.run.targets import Target, TargetError

__all__ = ["launch"]

type Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


def launch(target: Target, arguments: list[str]) -> None:
    """Run a program until its main module ends.

    Args:
        target: what to run.
        arguments: its arguments.

    Raises:
        TargetError: it cannot be found, or not be read.
        BaseException: what the program raises. On its way to the top of this process it needs no further care.
    """
    _new_main()
    try:
        match target.kind:
            case "script":
                _run_file(target.name, arguments)
            case "module":
                _run_module(target.name, arguments)
            case "code":
                sys.argv = [target.name, *arguments]
                _execute(compile(target.code, f"<console script {target.name}>", "exec", dont_inherit=True))
    except TargetError:
        raise
    except BaseException:
        sys.excepthook = _without_ours(sys.excepthook)
        raise


def _new_main() -> None:
    """Put an empty `__main__` in the place of this command's."""
    main = ModuleType("__main__")
    names, own = main.__dict__, sys.modules["__main__"].__dict__
    names["__builtins__"] = builtins
    # What there is in all main modules of this version of Python.
    empty: dict[str, object] = {"__annotations__": {}, "__cached__": None}
    names.update({name: value for name, value in empty.items() if name in own})
    sys.modules["__main__"] = main
    if "__mp_main__" in sys.modules:
        sys.modules["__mp_main__"] = main


def _run_file(name: str, arguments: list[str]) -> None:
    from pkgutil import get_importer

    sys.argv = [name, *arguments]
    path = _absolute(name)
    if get_importer(path) is not None:  # a directory or an archive
        if sys.flags.safe_path:
            sys.path.insert(0, path)
        else:
            sys.path[0] = path
        _execute_module("__main__", alter_argv=False)
        return
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    loader: type[SourceFileLoader | SourcelessFileLoader] = SourceFileLoader
    if name.endswith(".pyc"):
        loader = SourcelessFileLoader
    names = sys.modules["__main__"].__dict__
    names.update(__file__=path, __loader__=loader("__main__", path))
    _execute(_code_of(name, path))


def _absolute(name: str) -> str:
    """Return the path as Python has it in `__file__`: only Windows leaves out what goes up."""
    return os.path.abspath(name) if sys.platform == "win32" else os.path.join(os.getcwd(), name)


def _code_of(name: str, path: str) -> CodeType:
    if name.endswith(".pyc"):
        code: CodeType | None = SourcelessFileLoader("__main__", path).get_code("__main__")
        assert code is not None
        return code
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as exc:
        raise TargetError(f"cannot open {name!r}: {exc.strerror}") from exc
    return compile(source, path, "exec", dont_inherit=True)


def _run_module(name: str, arguments: list[str]) -> None:
    sys.argv = ["-m", *arguments]
    try:
        _execute_module(name, alter_argv=True)
    except SystemExit as exc:
        text = str(exc.code)
        if not _is_of_runpy(exc.__traceback__):
            raise
        raise TargetError(text.removeprefix(f"{sys.executable}: ")) from exc


def _execute(code: CodeType) -> None:
    exec(code, sys.modules["__main__"].__dict__)


def _execute_module(name: str, *, alter_argv: bool) -> None:
    import runpy

    run: Callable[[str, bool], object] = vars(runpy)["_run_module_as_main"]  # what `python -m` calls
    run(name, alter_argv)


_LAST_OF_OURS = _execute.__code__, _execute_module.__code__


def _is_of_runpy(traceback: TracebackType | None) -> bool:
    """Return whether it was runpy that raised an exception, which did not find the module."""
    last = None
    while traceback is not None:
        last, traceback = traceback, traceback.tb_next
    return last is not None and last.tb_frame.f_code.co_name == "_run_module_as_main"


def _without_ours(hook: Hook) -> Hook:
    """Return a `sys.excepthook` that calls another one with the program's part of the traceback."""

    def show(kind: type[BaseException], exc: BaseException, traceback: TracebackType | None) -> None:
        rest = traceback
        while rest is not None and rest.tb_frame.f_code not in _LAST_OF_OURS:
            rest = rest.tb_next
        if rest is not None:
            traceback = rest.tb_next
        elif _begins_here(traceback):
            traceback = None  # the program's source could not be compiled
        exc.__traceback__ = traceback
        hook(kind, exc, traceback)

    return show


def _begins_here(traceback: TracebackType | None) -> bool:
    while traceback is not None and traceback.tb_frame.f_code is not launch.__code__:
        traceback = traceback.tb_next
    return traceback is not None
