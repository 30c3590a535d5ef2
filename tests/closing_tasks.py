"""What interpreters do that are closed while others take what they have put."""

from __future__ import annotations

import atexit
import sys
import threading


def put(queue, items, kind=None):
    """Put items, as what is to become of them says."""
    import interp_api

    options = {} if kind is None else {"unbounditems": getattr(interp_api, kind)}
    for item in items:
        queue.put(item, **options)


def put_many(queue, count):
    """Put small lists, which need pickling."""
    for number in range(count):
        queue.put([number] * 20)


def put_at_exit(queue, items, kind=None):
    """Put items, and more when the interpreter exits, after everything of the package has."""
    atexit.register(put, queue, items, kind)
    put(queue, ["early"])


class PutsWhenItDies:
    """Puts when the interpreter's modules are torn down."""

    def __init__(self, queue):
        self.put = queue.put

    def __del__(self):
        self.put([1, 2, 3])


def put_when_modules_die(queue):
    """Leave an object behind that puts something when this interpreter is finalized."""
    queue.put(["before"])
    sys.modules["__main__"].kept = PutsWhenItDies(queue)


def put_in_thread(queue, released, count):
    """Leave a thread behind that puts when it is told to."""

    def run():
        released.get()
        put_many(queue, count)

    threading.Thread(target=run).start()


def put_and_end_slowly(queue, items, kind, reached, go_on):
    """Put items; at the exit, stop after the contents of the first one have been taken back."""
    import interp_api
    from interp_api._wakeup import boxes

    for item in items:
        queue.put(item, unbounditems=getattr(interp_api, kind))
    bury_all = boxes._bury_all
    of_queue, _ = boxes._boxes[queue.id]

    def stop(box, bury):
        if box == of_queue:
            bury(boxes.queue_get(box)[0])
            reached.put(None)
            go_on.get()
        bury_all(box, bury)

    boxes._bury_all = stop


def put_and_look_slowly(queue, items, reached, go_on):
    """Put items; at the exit, stop after each call of the runtime that shows whether takers are left, until told."""
    from interp_api._wakeup import boxes

    put(queue, items)
    originals = boxes.queue_count, boxes.queue_append

    def stop_after(function):
        def stopping(*args):
            result = function(*args)
            reached.put(None)
            if go_on.get():
                boxes.queue_count, boxes.queue_append = originals
            return result

        return stopping

    boxes.queue_count, boxes.queue_append = map(stop_after, originals)


def consume(queue, results, is_over):
    """Get until told otherwise; put what went wrong, by its text, and how many came whole and dead."""
    from interp_api import UNBOUND, ItemInterpreterDestroyed, QueueEmpty

    wrong, whole, dead = {}, 0, 0
    while True:
        try:
            item = queue.get(timeout=0.05)
        except QueueEmpty:
            if is_over.qsize():
                break
            continue
        except ItemInterpreterDestroyed:
            dead += 1
        except Exception as exc:
            wrong[repr(exc)] = wrong.get(repr(exc), 0) + 1
            continue
        else:
            if item is UNBOUND:
                dead += 1
            elif item == [item[0]] * 20:
                whole += 1
            else:
                wrong["torn"] = wrong.get("torn", 0) + 1
        queue.task_done()
    results.put((wrong, whole, dead))


def answer(value):
    """Return what was sent, made anew."""
    return [value]


def large(size):
    """Return bytes and a list that do not fit into small messages."""
    return {"bytes": bytes(range(256)) * (size // 256), "list": [*range(size // 8)]}


def put_large(queue, size):
    """Put what is lent to the receiver instead of being copied twice."""
    queue.put(large(size))


def put_simple(id, items):
    """Put items into a SimpleQueue."""
    from interp_api import SimpleQueue

    queue = SimpleQueue(id)
    for item in items:
        queue.put(item)
