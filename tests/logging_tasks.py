"""Tasks that log."""

from __future__ import annotations

import logging
import threading
from logging.handlers import QueueHandler


class Reduced(QueueHandler):
    """Sends what cannot be pickled as its text."""

    def prepare(self, record):
        record = super().prepare(record)
        if hasattr(record, "lock"):
            record.lock = repr(record.lock)
        return record


def log_to(queue, handler=QueueHandler):
    root = logging.getLogger()
    root.setLevel("INFO")
    root.addHandler(handler(queue))


def log(text, *args, **options):
    logging.getLogger("work").info(text, *args, **options)


def log_many(name, count):
    for number in range(count):
        log("%s %d", name, number)


def log_what_cannot_be_pickled():
    log("%s and %r", threading.Lock(), lambda: None)


def log_an_error():
    class Odd(Exception):
        pass

    try:
        raise Odd(threading.Lock())
    except Odd:
        logging.getLogger("work").exception("odd")


def log_an_extra():
    """What cannot be pickled is part of the record."""
    log("extra", extra={"lock": threading.Lock()})
    log("next")


def log_by_configuration():
    from logging.config import dictConfig

    queue = {"()": "interp_api.create_queue", "maxsize": 5}
    outer = {"class": "logging.handlers.QueueHandler", "queue": queue, "handlers": ["inner"]}
    handlers = {"inner": {"class": "logging.NullHandler"}, "outer": outer}
    dictConfig({"version": 1, "handlers": handlers, "root": {"handlers": ["outer"], "level": "INFO"}})
    (handler,) = logging.getLogger().handlers
    log("text")
    return handler.queue.maxsize, handler.queue.get().getMessage()
