"""`python -m interp_pool.doctor.probe`: the child process that imports the subject, in workers and beside them.

Owns the order: a worker, the main interpreter, a second worker, all alive until the end; so a module that can be
loaded once is found. The request comes on stdin; each answer is a line of the log as soon as it is there, for whatever
comes next may end the process.
"""

import json
import os
import sys
from typing import TYPE_CHECKING

from interp_pool.doctor import inside

if TYPE_CHECKING:
    from interp_pool.doctor.requests import Request

__all__ = ["main"]


def main() -> None:
    """Do what the request says, and end without the exit functions of what was imported."""
    request: Request = json.load(sys.stdin.buffer)

    def tell(what: str, answer: object) -> None:
        inside.write(request["log"], f"{what} {json.dumps(answer)}")

    def at(where: str) -> None:
        inside.write(request["log"], f"at {where}")

    if request["only_main"]:
        at("main")
        tell("main", inside.look(request, "main"))
        tell("done", True)
        os._exit(0)
    from interp_pool import InterpreterPoolExecutor

    # Without reuse: the interpreters are closed at the end, and a module that cannot bear it is found.
    with InterpreterPoolExecutor(1, reuse=False) as one, InterpreterPoolExecutor(1, reuse=False) as other:
        at("first")
        tell("first", one.submit(inside.look, request, "first").result())
        at("main")
        tell("main", inside.look(request, "main"))
        at("second")
        tell("second", other.submit(inside.look, request, "second").result())
        if request["function"]:
            at("call in main")
            tell("measured_in_main", inside.measure(request))
            at("call in first")
            try:
                tell("measured_inside", one.submit(inside.measure, request).result())
            except ImportError as exc:  # its module cannot be imported there: that was told
                tell("measured_inside", {"why_not": str(exc)})
        at("closing")
    tell("done", True)
    os._exit(0)


if __name__ == "__main__":
    main()
