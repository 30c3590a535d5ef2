"""Interpreters and queues between them: what CPython documents as `concurrent.interpreters`, the same on 3.13 to 3.15.

The names are loaded when they are first used, so that a worker pays only for what it needs. Beyond the documented ones
there are `list_all_queues`, and the building blocks of a pool: `SimpleQueue`; `encode`, `encode_call` and `decode` for
what it carries; `adopt_main`, `forget_main` and `check_main_is_not_loading` for the parent's main module;
`check_tracing`, `before_tracing`, `capture_exception` and `CLOSING_LEAKS` for what the runtime can and cannot do.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_api._cpython import CLOSING_LEAKS as CLOSING_LEAKS
    from interp_api._cpython import QueueNotFoundError as QueueNotFoundError
    from interp_api._cpython import capture_exception as capture_exception
    from interp_api._errors import ExecutionFailed as ExecutionFailed
    from interp_api._errors import InterpreterError as InterpreterError
    from interp_api._errors import InterpreterNotFoundError as InterpreterNotFoundError
    from interp_api._errors import ItemInterpreterDestroyed as ItemInterpreterDestroyed
    from interp_api._errors import NotShareableError as NotShareableError
    from interp_api._errors import QueueEmpty as QueueEmpty
    from interp_api._errors import QueueEmptyError as QueueEmptyError
    from interp_api._errors import QueueError as QueueError
    from interp_api._errors import QueueFull as QueueFull
    from interp_api._errors import QueueFullError as QueueFullError
    from interp_api._errors import ShutDown as ShutDown
    from interp_api._interpreter import Interpreter as Interpreter
    from interp_api._interpreter import create as create
    from interp_api._interpreter import get_current as get_current
    from interp_api._interpreter import get_main as get_main
    from interp_api._interpreter import is_shareable as is_shareable
    from interp_api._interpreter import list_all as list_all
    from interp_api._main_module import adopt_main as adopt_main
    from interp_api._main_module import check_main_is_not_loading as check_main_is_not_loading
    from interp_api._main_module import forget_main as forget_main
    from interp_api._queue import Queue as Queue
    from interp_api._queue import create_queue as create_queue
    from interp_api._queue import list_all_queues as list_all_queues
    from interp_api._simple_queue import SimpleQueue as SimpleQueue
    from interp_api._tracing import before_tracing as before_tracing
    from interp_api._tracing import check_tracing as check_tracing
    from interp_api._transfer import decode as decode
    from interp_api._transfer import encode as encode
    from interp_api._transfer import encode_call as encode_call
    from interp_api._unbound import UNBOUND as UNBOUND
    from interp_api._unbound import UNBOUND_ERROR as UNBOUND_ERROR
    from interp_api._unbound import UNBOUND_REMOVE as UNBOUND_REMOVE

_MODULES = {
    "_cpython": "CLOSING_LEAKS QueueNotFoundError capture_exception",
    "_errors": "ExecutionFailed InterpreterError InterpreterNotFoundError ItemInterpreterDestroyed NotShareableError "
    "QueueEmpty QueueEmptyError QueueError QueueFull QueueFullError ShutDown",
    "_interpreter": "Interpreter create get_current get_main is_shareable list_all",
    "_main_module": "adopt_main check_main_is_not_loading forget_main",
    "_queue": "Queue create_queue list_all_queues",
    "_simple_queue": "SimpleQueue",
    "_tracing": "before_tracing check_tracing",
    "_transfer": "decode encode encode_call",
    "_unbound": "UNBOUND UNBOUND_ERROR UNBOUND_REMOVE",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = list(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]  # one list of the names is enough


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{_HOME[name]}", fromlist=[name])  # importlib would be one more in every worker
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
