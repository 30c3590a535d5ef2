"""A module that imports threading; a task of it is sent to workers, by name."""

from __future__ import annotations

import threading


def get_name():
    return threading.current_thread().name
