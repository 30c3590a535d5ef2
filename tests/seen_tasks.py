"""A task that tells whatever can be told."""

import logging
from contextvars import ContextVar

from interp_pool import report

USER = ContextVar("USER")


def tell_everything(number):
    logging.getLogger(__name__).info("task %d", number)
    print(USER.get(), number)
    report(number, 100)
    return USER.get()
