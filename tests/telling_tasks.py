"""Tasks that tell their pool something, and a watch."""

import threading

from interp_pool import current_executor
from interp_pool._worker.telling import tell

begun = []


def begin(argument):
    begun.append(argument)
    tell("test", ("begun", argument))


def end():
    tell("test", ("ended", begun.pop()))


def tell_all(*bodies):
    for body in bodies:
        assert tell("test", body)
    return len(bodies)


def tell_one(body):
    return tell_all(body)


def tell_in_thread(body):
    thread = threading.Thread(target=tell, args=("test", body))
    thread.start()
    thread.join()


def tell_and_fail(body):
    tell("test", body)
    raise ValueError(body)


def tell_below(body):
    return current_executor().submit(tell_all, body).result()


def tell_unheard(body):
    return tell("nobody's", body)
