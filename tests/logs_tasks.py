"""Tasks that log to whatever loggers there are."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import warnings
from logging.handlers import QueueHandler

from interp_pool import current_executor


class Found:
    """Can be pickled."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return type(other) is Found and other.value == self.value

    __hash__ = None


class Unreadable:
    """Can be pickled, but not be read."""

    def __reduce__(self):
        return int, ("no number",)


def log(text, *args, level=logging.INFO, name="work", **options):
    logging.getLogger(name).log(level, text, *args, **options)


def log_without_propagating(text):
    logging.getLogger("work").propagate = False
    log(text)


def log_many(name, count):
    for number in range(count):
        log("%s %d", name, number)


def log_to_the_root():
    logging.info("functions of %s", "the module")  # noqa: LOG015  # which configure loggers by themselves
    logging.basicConfig()
    logging.warning("once more")  # noqa: LOG015  # as above


def log_one(number):
    log("%d", number)
    return number


def log_what_cannot_be_pickled():
    log("%s and %r", threading.Lock(), lambda: None, extra={"lock": threading.Lock(), "unreadable": Unreadable()})


def log_mapping():
    log("%(a)s", {"a": 1})


def log_an_error():
    class Odd(Exception):
        pass

    try:
        raise Odd(threading.Lock())
    except Odd:
        logging.getLogger("work").exception("odd", stack_info=True)


def log_badly():
    log("%d", "no number")
    log("next")


def log_and_fail():
    log("before")
    raise ValueError("failed")


def log_in_a_thread():
    thread = threading.Thread(target=log, args=("threaded",), name="mine")
    thread.start()
    thread.join()


def log_in_a_child():
    log("parent")
    current_executor().submit(log, "child").result()


def log_in_asyncio():
    async def main():
        log("coroutine")

    asyncio.run(main())
    log("plain")


def log_when_let_go(said, wait):
    """Wait for two bytes, for an interrupt may strike before the first wait."""
    try:
        os.write(said, b"x")
        os.read(wait, 1)
    finally:
        os.read(wait, 1)
        log("late")


def log_until_interrupted(started):
    log("before")
    try:
        started.put(None)
        while True:
            pass
    finally:
        log("after")


def configure_file(path):
    logging.basicConfig(filename=path, level="INFO", format="mine: %(message)s")
    log("to the file")
    logging.shutdown()


def log_to(queue):
    logging.getLogger().addHandler(QueueHandler(queue))


def log_with_own_handler(level):
    logger = logging.getLogger("own")
    handler = logging.StreamHandler()
    handler.setLevel(level)
    logger.addHandler(handler)
    logger.warning("own")


def log_as_a_library():
    logging.getLogger("library").addHandler(logging.NullHandler())
    logging.getLogger("library.part").warning("from a library")
    return logging.getLogger("library.part").hasHandlers(), logging.getLogger().handlers


def warn():
    warnings.warn("careful", stacklevel=1)
    return "logging" in sys.modules


def effective(*names):
    return [logging.getLogger(name).getEffectiveLevel() for name in names]


def state():
    return logging.root.parent, logging.root.handlers, logging.root.level, logging.basicConfig.__module__
