"""A worker's records reach the handlers of the main interpreter, by the standard library's handler over a queue."""

from __future__ import annotations

import asyncio
import logging
from logging.handlers import QueueHandler, QueueListener

import logging_tasks
import pytest
from records import Kept

from interp_api import create_queue
from interp_pool import InterpreterPoolExecutor


@pytest.fixture
def run():
    """Run tasks whose records are listened to; return the records, once the executor and the listener have ended."""

    def run(*calls, workers=1, maxsize=0, handler=QueueHandler):
        queue, kept = create_queue(maxsize), Kept()
        listener = QueueListener(queue, kept)
        listener.start()
        try:
            with InterpreterPoolExecutor(
                workers, initializer=logging_tasks.log_to, initargs=(queue, handler), thread_name_prefix="worker"
            ) as executor:
                for future in [executor.submit(*call) for call in calls]:
                    future.result(60)
        finally:
            listener.stop()
        queue.join()  # the listener has said of each that it is done
        return kept.records

    return run


def test_records_arrive_in_the_order_of_each_worker(run):
    records = run(*((logging_tasks.log_many, name, 200) for name in "abc"), workers=3)
    assert len(records) == 600
    for name in "abc":
        assert [each.getMessage() for each in records if each.getMessage()[0] == name] == [
            f"{name} {number}" for number in range(200)
        ]
    assert {each.name for each in records} == {"work"}
    assert all(each.threadName.startswith("worker") for each in records)


def test_arguments_that_cannot_be_pickled_are_formatted_in_the_worker(run):
    (record,) = run((logging_tasks.log_what_cannot_be_pickled,))
    assert record.getMessage().startswith("<unlocked _thread.lock object at ")
    assert " and <function log_what_cannot_be_pickled.<locals>.<lambda> at " in record.getMessage()
    assert not record.args


def test_traceback_of_an_exception_that_cannot_be_pickled_arrives_as_text(run):
    (record,) = run((logging_tasks.log_an_error,))
    assert record.exc_info is None
    text = logging.Formatter("%(message)s").format(record)
    assert text.startswith("odd\nTraceback (most recent call last):\n")
    assert "log_an_error.<locals>.Odd: <unlocked _thread.lock object" in text


def test_record_with_an_extra_that_cannot_be_pickled_is_reported_and_the_next_arrives(run, capfd):
    (record,) = run((logging_tasks.log_an_extra,))
    assert record.getMessage() == "next"
    err = capfd.readouterr().err
    assert "--- Logging error ---" in err
    assert "NotShareableError: cannot send an object of <class 'logging.LogRecord'>" in err


def test_handler_that_replaces_the_extra_loses_nothing(run, capfd):
    first, second = run((logging_tasks.log_an_extra,), handler=logging_tasks.Reduced)
    assert first.lock.startswith("<unlocked")
    assert second.getMessage() == "next"
    assert capfd.readouterr().err == ""


def test_record_that_finds_the_queue_full_is_reported(capfd):
    queue = create_queue(1)
    with InterpreterPoolExecutor(1, initializer=logging_tasks.log_to, initargs=(queue,)) as executor:
        executor.submit(logging_tasks.log_many, "x", 2).result(60)
    assert queue.get().getMessage() == "x 0"
    assert "QueueFull: the queue still held 1 items" in capfd.readouterr().err


def test_next_executor_has_no_handler_of_the_one_before(run):
    assert len(run((logging_tasks.log, "first"))) == 1
    queue = create_queue()
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(eval, "__import__('logging').getLogger().handlers").result(60) == []
    assert queue.empty()


def test_records_are_handled_by_an_event_loop():
    async def handle(queue):
        return [record.getMessage() async for record in queue]

    async def main():
        queue = create_queue()
        handling = asyncio.create_task(handle(queue))
        with InterpreterPoolExecutor(1, initializer=logging_tasks.log_to, initargs=(queue,)) as executor:
            await asyncio.wrap_future(executor.submit(logging_tasks.log_many, "x", 3))
        queue.shutdown()
        return await handling

    assert asyncio.run(main()) == ["x 0", "x 1", "x 2"]


def test_queue_can_be_configured_by_name():
    """`logging.config` takes it for a queue; in a worker, as it closes all handlers there are."""
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(logging_tasks.log_by_configuration).result(60) == (5, "text")
