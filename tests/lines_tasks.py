"""Tasks that write to the standard streams."""

from __future__ import annotations

import os
import sys
import threading

from interp_pool import current_executor


def say(*args, **options):
    print(*args, **options)


def say_many(letter, count):
    for number in range(count):
        print(letter * (number % 300 + 1), letter)


def complain(text):
    print("out before")
    print(text, file=sys.stderr)
    print("out after")


def write(*texts):
    for text in texts:
        sys.stdout.write(text)


def write_bytes(*chunks):
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)


def say_and_fail(text):
    print(text, end="")
    raise ValueError("failed")


def say_in_threads(count):
    """Each begins a line before any ends its own."""
    barrier = threading.Barrier(count)

    def work(number):
        print(number, end=" ")
        barrier.wait()
        print(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def leave_part_in_thread():
    thread = threading.Thread(target=print, args=("threads",), kwargs={"end": ""})
    thread.start()
    thread.join()


def say_in_a_child(text):
    print("parent")
    current_executor().submit(say, text).result()


def say_one(item):
    print(item)
    return item


def spin(started):
    print("before")
    print("part", end="")
    started.put(None)
    while True:
        pass


def write_to_descriptor(text):
    os.write(1, text.encode())


def draw(*steps):
    for step in steps:
        sys.stderr.write(f"\r{step}")
    sys.stderr.write("\n")


def properties():
    stream = sys.stdout
    stream.reconfigure(line_buffering=True)
    stream.flush()
    return stream.encoding, stream.isatty(), stream.writable(), stream.fileno(), stream.name


def replaced():
    return sys.stdout is not sys.__stdout__
