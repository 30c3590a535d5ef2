"""signal.signal() in a worker, which gets no signals: to ignore one is what it does anyway. Runs INSIDE.

Initializers of process pools do that with SIGINT, so that Ctrl-C reaches the program alone. So the pool is told: its
tasks go on then. A handler of the program's own would never be called; the runtime refuses that, with an error.
"""

from interp_pool._worker.parent import MAY_IGNORE_CTRL_C, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def prepare(module: "Any") -> None:
    """Let the module `signal` accept that a signal is ignored, or has its default."""
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
