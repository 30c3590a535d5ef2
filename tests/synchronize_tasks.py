"""Tasks that use multiprocessing's own objects."""

from __future__ import annotations

objects = ()


def take(*given):
    """As an initializer: keep what was given."""
    global objects
    objects = given


def use_all(number):
    """Use each of the objects that the initializer was given."""
    lock, value, queue, event, array, semaphore, raw = objects
    with lock, value.get_lock():
        value.value += number
    with semaphore:
        array[number] = number * number
    raw.value = 7
    queue.put(number)
    assert event.wait(60)
    return number


def enter(lock, number):
    with lock:
        return number


def fill(queue, number):
    queue.put(number)
