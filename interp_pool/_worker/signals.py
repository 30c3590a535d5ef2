"""signal.signal() in a worker, which gets no signals: to ignore one is what it does anyway. Runs INSIDE.

Initializers of process pools do that with SIGINT, so that Ctrl-C reaches the program alone. So the pool is told: its
tasks go on then. A handler of the program's own would never be called; the runtime refuses that, with an error. It does
not refuse to set an alarm, which would ring the program, and end it: that is refused here, in the same words. Calling
one off leaves the program's alone.
"""

from interp_pool._worker.parent import MAY_IGNORE_CTRL_C, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ALARMS = ("alarm", "setitimer")  # not on Windows


def prepare(module: "Any") -> None:
    """Let the module `signal` accept that a signal is ignored, or has its default; have it refuse alarms."""
    original = module.signal

    def signal(signalnum: "Any", handler: "Any", /) -> "Any":
        if handler not in (module.SIG_IGN, module.SIG_DFL):
            return original(signalnum, handler)
        before = module.getsignal(signalnum)  # which raises for what is no signal
        if handler == module.SIG_IGN and signalnum == module.SIGINT:
            ask(MAY_IGNORE_CTRL_C)
        return before

    signal.__name__, signal.__qualname__, signal.__doc__ = "signal", "signal", original.__doc__
    module.signal = signal
    for name in _ALARMS:
        if hasattr(module, name):
            setattr(module, name, _without_alarm(name, getattr(module, name)))


def _without_alarm(name: str, original: "Callable[..., Any]") -> "Callable[..., Any]":
    is_timer = name == "setitimer"

    def ring(*args: "Any") -> "Any":
        if any(args[is_timer:]):
            raise ValueError(
                f"signal only works in main thread of the main interpreter: {name}() in a worker would ring the program"
            )
        return (0.0, 0.0) if is_timer else 0  # it calls off what a worker has none of; the program may have one

    ring.__name__, ring.__qualname__, ring.__doc__ = name, name, original.__doc__
    return ring
