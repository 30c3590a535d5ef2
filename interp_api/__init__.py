"""Interpreters and queues between them: what CPython documents as `concurrent.interpreters`, the same on 3.13 to 3.15.

The names are loaded when they are first used, so that a worker pays only for what it needs. Beyond the documented ones
there are `list_all_queues`, and the building blocks of a pool: `PoolQueue` and `SimpleQueue`; `encode`, `encode_call`,
`decode` and `detach` for what they carry, with `portable` for functions among it, `enclose` for what was encoded
before, and `function_head` and `is_importing` for who must not wait for an import; `Doorbell`, `ring` and `wait_at` to
wake a thread of another interpreter, and `Place` for a loop that is woken like one; `claim`, `unclaim`,
`create_claimed` and `creating` for interpreters that nobody else is to enter or close; `note_main`, `expect_main`,
`is_found_in_main`, `load_main_ahead`, `forget_main` and `check_main_is_not_loading` for the parent's main module;
`holding`, `is_held_here` and `free_in_child` for locks that signal handlers and forks come across, and `comes_again`
for what those raise; `check_tracing`, `before_tracing` and `CLOSING_LEAKS` for what the runtime can and cannot do,
`IS_MAIN_INTERPRETER` for where this is.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_api._errors import ExecutionFailed as ExecutionFailed
    from interp_api._errors import InterpreterError as InterpreterError
    from interp_api._errors import InterpreterNotFoundError as InterpreterNotFoundError
    from interp_api._errors import ItemInterpreterDestroyed as ItemInterpreterDestroyed
    from interp_api._errors import NotShareableError as NotShareableError
    from interp_api._errors import QueueEmpty as QueueEmpty
    from interp_api._errors import QueueEmptyError as QueueEmptyError
    from interp_api._errors import QueueFull as QueueFull
    from interp_api._errors import QueueFullError as QueueFullError
    from interp_api._errors import ShutDown as ShutDown
    from interp_api._interpreters.guards import creating as creating
    from interp_api._interpreters.importing import is_importing as is_importing
    from interp_api._interpreters.interpreter import Interpreter as Interpreter
    from interp_api._interpreters.interpreter import claim as claim
    from interp_api._interpreters.interpreter import create as create
    from interp_api._interpreters.interpreter import create_claimed as create_claimed
    from interp_api._interpreters.interpreter import get_current as get_current
    from interp_api._interpreters.interpreter import get_main as get_main
    from interp_api._interpreters.interpreter import is_shareable as is_shareable
    from interp_api._interpreters.interpreter import list_all as list_all
    from interp_api._interpreters.interpreter import unclaim as unclaim
    from interp_api._interpreters.tracing import before_tracing as before_tracing
    from interp_api._interpreters.tracing import check_tracing as check_tracing
    from interp_api._pickling.again import comes_again as comes_again
    from interp_api._pickling.codec import Payload as Payload
    from interp_api._pickling.codec import decode as decode
    from interp_api._pickling.codec import detach as detach
    from interp_api._pickling.codec import encode as encode
    from interp_api._pickling.codec import encode_call as encode_call
    from interp_api._pickling.codec import portable as portable
    from interp_api._pickling.enclosed import enclose as enclose
    from interp_api._pickling.function_head import function_head as function_head
    from interp_api._pickling.main_module import check_main_is_not_loading as check_main_is_not_loading
    from interp_api._pickling.main_module import expect_main as expect_main
    from interp_api._pickling.main_module import forget_main as forget_main
    from interp_api._pickling.main_module import load_main_ahead as load_main_ahead
    from interp_api._pickling.main_module import note_main as note_main
    from interp_api._pickling.main_names import is_found_in_main as is_found_in_main
    from interp_api._queues.queue import Queue as Queue
    from interp_api._queues.queue import create_queue as create_queue
    from interp_api._queues.queue import list_all_queues as list_all_queues
    from interp_api._queues.unbound import UNBOUND as UNBOUND
    from interp_api._queues.unbound import UNBOUND_ERROR as UNBOUND_ERROR
    from interp_api._queues.unbound import UNBOUND_REMOVE as UNBOUND_REMOVE
    from interp_api._runtime.cpython import CLOSING_LEAKS as CLOSING_LEAKS
    from interp_api._runtime.cpython import IS_MAIN_INTERPRETER as IS_MAIN_INTERPRETER
    from interp_api._runtime.cpython import QueueError as QueueError
    from interp_api._runtime.cpython import QueueNotFoundError as QueueNotFoundError
    from interp_api._runtime.locks import free_in_child as free_in_child
    from interp_api._runtime.locks import holding as holding
    from interp_api._runtime.locks import is_held_here as is_held_here
    from interp_api._wakeup.doorbell import Doorbell as Doorbell
    from interp_api._wakeup.doorbell import ring as ring
    from interp_api._wakeup.doorbell import wait_at as wait_at
    from interp_api._wakeup.interpreter_mutex import acquire_mutex as acquire_mutex
    from interp_api._wakeup.interpreter_mutex import make_release as make_release
    from interp_api._wakeup.interpreter_mutex import release_mutex as release_mutex
    from interp_api._wakeup.place import Place as Place
    from interp_api._wakeup.pool_queue import PoolQueue as PoolQueue
    from interp_api._wakeup.simple_queue import SimpleQueue as SimpleQueue

_MODULES = {
    "_runtime.cpython": "CLOSING_LEAKS IS_MAIN_INTERPRETER QueueError QueueNotFoundError",
    "_wakeup.doorbell": "Doorbell ring wait_at",
    "_errors": "ExecutionFailed InterpreterError InterpreterNotFoundError ItemInterpreterDestroyed NotShareableError "
    "QueueEmpty QueueEmptyError QueueFull QueueFullError ShutDown",
    "_pickling.function_head": "function_head",
    "_interpreters.guards": "creating",
    "_interpreters.importing": "is_importing",
    "_interpreters.interpreter": "Interpreter claim create create_claimed get_current get_main is_shareable list_all "
    "unclaim",
    "_runtime.locks": "free_in_child holding is_held_here",
    "_pickling.main_module": "check_main_is_not_loading expect_main forget_main load_main_ahead note_main",
    "_queues.queue": "Queue create_queue list_all_queues",
    "_wakeup.simple_queue": "SimpleQueue",
    "_wakeup.interpreter_mutex": "acquire_mutex make_release release_mutex",
    "_wakeup.place": "Place",
    "_wakeup.pool_queue": "PoolQueue",
    "_interpreters.tracing": "before_tracing check_tracing",
    "_pickling.again": "comes_again",
    "_pickling.codec": "decode detach encode encode_call portable",
    "_pickling.enclosed": "enclose",
    "_pickling.main_names": "is_found_in_main",
    "_queues.unbound": "UNBOUND UNBOUND_ERROR UNBOUND_REMOVE",
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
