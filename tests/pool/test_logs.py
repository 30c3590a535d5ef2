"""Records that tasks log arrive at the main interpreter's loggers, once each, before the futures are done."""

from __future__ import annotations

import logging
import os
import threading
import warnings

import logs_tasks
import pytest
import tasks
from records import Kept

from interp_api import create_queue
from interp_pool import BrokenInterpreterPool, InterpreterPoolExecutor


@pytest.fixture
def kept():
    """The only handler there is, at the root, whose level is INFO."""
    root, made = logging.root, Kept()
    before = root.level, root.handlers
    root.handlers = [made]
    root.setLevel("INFO")
    yield made
    root.setLevel(before[0])
    root.handlers = before[1]
    for name in ("work", "own", "library", "quiet", "loud", "loud.part"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        logger.disabled = False
    logging.disable(logging.NOTSET)
    made.records.clear()  # tracebacks and closures keep pools
    made.act = None


@pytest.fixture
def executor(request):
    with InterpreterPoolExecutor(1, thread_name_prefix="worker") as executor:
        yield executor
    del request.node.funcargs["executor"]  # before the leak check looks


def messages_of(executor):
    """Return a list that gets every message of a record that comes."""
    options, met = executor._pool._kernel.options, []
    hear = options.hearers["log"]

    def note(told):
        met.append(told)
        hear(told)

    options.hearers["log"] = note
    return met


def test_record_arrives_before_the_future_is_done(kept, executor):
    for number in range(20):
        executor.submit(logs_tasks.log, "%d of %s", number, "many").result()
        assert kept.texts[number:] == [f"{number} of many"]
    record = kept.records[0]
    assert (record.name, record.levelname, record.args) == ("work", "INFO", (0, "many"))
    assert (record.threadName, record.processName, record.taskName) == ("worker_0", "MainProcess", "log")
    assert (record.process, record.funcName, record.module) == (os.getpid(), "log", "logs_tasks")


def test_functions_of_the_module_log_to_the_programs_root(kept, executor, capfd):
    executor.submit(logs_tasks.log_to_the_root).result()
    assert [(record.name, record.getMessage()) for record in kept.records] == [
        ("root", "functions of the module"),
        ("root", "once more"),
    ]
    assert capfd.readouterr().err == ""


def test_names_of_tasks_are_those_of_options(kept, executor):
    executor.options(name="import of 7").submit(logs_tasks.log, "named").result()
    list(executor.map(logs_tasks.log_one, range(3)))
    assert [record.taskName for record in kept.records] == ["import of 7"] + ["log_one"] * 3


def test_records_arrive_in_the_order_of_each_worker(kept):
    with InterpreterPoolExecutor(3) as executor:
        for future in [executor.submit(logs_tasks.log_many, name, 200) for name in "abc"]:
            future.result(60)
    assert len(kept.records) == 600
    for name in "abc":
        assert [text for text in kept.texts if text[0] == name] == [f"{name} {number}" for number in range(200)]


def test_items_of_map_have_logged_before_their_results_are_there(kept, executor):
    for number in executor.map(logs_tasks.log_one, range(300)):
        assert str(number) in kept.texts


def test_handlers_run_without_a_lock_and_may_submit(kept, executor):
    lock, futures = executor._pool._kernel.lock, []

    def act(record):
        assert not lock._is_owned()
        if record.args == (1,):
            futures.append(executor.submit(logs_tasks.log, "more"))

    kept.act = act
    executor.submit(logs_tasks.log_many, "x", 3).result()
    kept.act(logging.makeLogRecord({"args": (1,)}))
    futures[0].result()
    assert kept.texts[-1] == "more"


def test_handler_that_raises_harms_no_task(kept, executor, logged):
    def act(record):
        if record.getMessage() == "bad":
            raise ValueError("of the handler")

    kept.act = act
    assert executor.submit(logs_tasks.log, "bad").result() is None
    executor.submit(logs_tasks.log, "good").result()
    executor.submit(logs_tasks.log, "bad").result()
    assert kept.texts == ["bad", "good", "bad"]
    assert [type_ for _, _, type_ in logged] == [ValueError]  # once


def test_record_that_does_not_propagate_arrives(kept, executor):
    executor.submit(logs_tasks.log_without_propagating, "not beyond its logger").result()
    assert kept.texts == ["not beyond its logger"]


def test_what_cannot_be_pickled_is_formatted_in_the_worker(kept, executor):
    executor.submit(logs_tasks.log_what_cannot_be_pickled).result()
    executor.submit(logs_tasks.log_mapping).result()
    record, mapping = kept.records
    assert record.getMessage().startswith("<unlocked _thread.lock object at ")
    assert " and <function log_what_cannot_be_pickled.<locals>.<lambda> at " in record.getMessage()
    assert record.lock.startswith("<unlocked _thread.lock object at ")
    assert record.unreadable.startswith("<cannot be unpickled: invalid literal for int()")
    assert mapping.getMessage() == "1"


def test_extra_attributes_arrive(kept, executor):
    extra = {"number": 2**70, "items": [1, {"a": (2,)}], "found": logs_tasks.Found(3), "large": bytes(100_000)}
    executor.submit(logs_tasks.log, "text", extra=extra).result()
    assert {name: getattr(kept.records[0], name) for name in extra} == extra


def test_traceback_arrives_as_text(kept, executor):
    executor.submit(logs_tasks.log_an_error).result()
    (record,) = kept.records
    assert record.exc_info is None
    assert record.exc_text.startswith("Traceback (most recent call last):\n")
    text = logging.Formatter("%(message)s").format(record)
    assert text.startswith("odd\nTraceback (most recent call last):\n")
    assert text.count("log_an_error.<locals>.Odd: <unlocked _thread.lock object") == 1
    assert text.count("Stack (most recent call last):\n") == 1


def test_record_whose_message_cannot_be_formatted_is_reported_and_the_next_arrives(kept, capfd):
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(logs_tasks.log_badly).result()
    assert kept.texts == ["next"]
    errors = capfd.readouterr().err
    assert errors.startswith("--- Logging error ---\n")
    assert "in log_badly" in errors


def test_failure_comes_after_what_was_logged(kept, executor):
    assert str(executor.submit(logs_tasks.log_and_fail).exception()) == "failed"
    assert kept.texts == ["before"]


def test_records_below_the_level_cost_no_message(kept, executor):
    logging.getLogger("quiet").setLevel("ERROR")
    logging.getLogger("loud").setLevel("DEBUG")
    logging.getLogger("work").disabled = True
    met = messages_of(executor)
    for name, level in (("quiet.part", "WARNING"), ("loud.part", "DEBUG"), ("other", "DEBUG"), ("work", "ERROR")):
        executor.submit(logs_tasks.log, name, name=name, level=logging.getLevelName(level)).result()
    assert kept.texts == ["loud.part"]
    assert len(met) == 1


def test_disabled_levels_cost_no_message(kept, executor):
    logging.disable(logging.INFO)
    met = messages_of(executor)
    executor.submit(logs_tasks.log, "no").result()
    executor.submit(logs_tasks.log, "yes", level=logging.WARNING).result()
    assert (kept.texts, len(met)) == (["yes"], 1)


def test_level_that_a_task_lowers_does_not_count(kept, executor):
    executor.submit(eval, "__import__('logging').root.setLevel(0)").result()
    executor.submit(logs_tasks.log, "no", level=logging.DEBUG).result()
    assert kept.texts == []


def test_levels_are_followed_while_workers_run(kept, executor):
    executor.submit(logs_tasks.log, "no", level=logging.DEBUG).result()
    logging.getLogger("work").setLevel("DEBUG")
    while not kept.records:  # the worker is told in the background
        executor.submit(logs_tasks.log, "yes", level=logging.DEBUG).result()
    logging.getLogger("work").setLevel("NOTSET")
    while executor.submit(logs_tasks.effective, "work").result() != [logging.INFO]:
        pass
    assert set(kept.texts) == {"yes"}


def test_workers_forward_once_logging_is_configured(kept, executor):
    logging.root.handlers = []
    executor.submit(logs_tasks.log, "no").result()
    logging.root.handlers = [kept]
    logging.root.setLevel("DEBUG")
    while not kept.records:
        executor.submit(logs_tasks.log, "yes").result()
    assert set(kept.texts) == {"yes"}


@pytest.mark.parametrize("name", ["", "library"])
def test_workers_forward_once_a_logger_gets_a_handler(kept, executor, name):
    logging.root.handlers = []
    executor.submit(logs_tasks.log, "no").result()
    logger = logging.getLogger(name)
    logger.addHandler(kept)  # and no level is set
    try:
        while not kept.records:
            executor.submit(logs_tasks.log, "yes", name=name or "work").result()
    finally:
        logger.removeHandler(kept)
    assert set(kept.texts) == {"yes"}


def test_program_without_handlers_gets_nothing_by_default(kept):
    logging.root.handlers = []
    logging.getLogger("library").addHandler(logging.NullHandler())
    try:
        with InterpreterPoolExecutor(1) as executor:
            met = messages_of(executor)
            executor.submit(logs_tasks.log, "no", level=logging.INFO).result()
        assert met == []
        with InterpreterPoolExecutor(1, log="forward") as executor:
            met = messages_of(executor)
            executor.submit(logs_tasks.log, "yes").result()
        assert len(met) == 1
    finally:
        logging.getLogger("library").handlers.clear()


def test_workers_own_loggers_are_left_alone_if_that_is_asked_for(kept):
    with InterpreterPoolExecutor(1, log="worker") as executor:
        assert executor.submit(logs_tasks.state).result() == (None, [], logging.WARNING, "logging")
        executor.submit(logs_tasks.log, "no", level=logging.INFO).result()
    assert kept.texts == []


def test_other_words_for_log_are_refused():
    with pytest.raises(ValueError, match=r"log must be 'forward' or 'worker', got 'main'"):
        InterpreterPoolExecutor(log="main")


def test_configuration_of_a_task_works_and_doubles_nothing(kept, tmp_path):
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(logs_tasks.configure_file, str(tmp_path / "log")).result()
    assert (tmp_path / "log").read_text() == "mine: to the file\n"
    assert kept.texts == []


def test_queue_handler_of_an_initializer_works_and_doubles_nothing(kept):
    queue = create_queue()
    with InterpreterPoolExecutor(1, initializer=logs_tasks.log_to, initargs=(queue,)) as executor:
        executor.submit(logs_tasks.log, "queued").result()
    assert queue.get().getMessage() == "queued"
    assert kept.texts == []


def test_record_that_a_handler_of_the_worker_takes_is_not_doubled(kept, capfd):
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(logs_tasks.log_with_own_handler, logging.WARNING).result()
    assert (kept.texts, capfd.readouterr().err) == ([], "own\n")
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(logs_tasks.log_with_own_handler, logging.ERROR).result()
    assert (kept.texts, capfd.readouterr().err) == (["own"], "")


def test_handler_of_a_library_that_does_nothing_takes_nothing(kept, executor):
    assert executor.submit(logs_tasks.log_as_a_library).result() == (True, [])
    assert kept.texts == ["from a library"]


def test_record_of_an_initializer_arrives(kept):
    with InterpreterPoolExecutor(1, initializer=logs_tasks.log, initargs=("first",)) as executor:
        executor.submit(logs_tasks.log, "second").result()
    assert [(record.getMessage(), record.taskName) for record in kept.records] == [("first", None), ("second", "log")]


@pytest.mark.parametrize("fallback", [{}, {"fallback": "process", "route": ["logs_tasks"]}])
def test_record_of_an_initializer_that_fails_arrives(kept, logged, fallback):
    with (
        InterpreterPoolExecutor(1, initializer=logs_tasks.log_and_fail, **fallback) as executor,
        pytest.raises(BrokenInterpreterPool),
    ):
        executor.submit(logs_tasks.log, "never").result()
    assert kept.texts == ["before"]


def test_record_of_a_thread_has_its_name(kept, executor):
    executor.submit(logs_tasks.log_in_a_thread).result()
    assert [(record.threadName, record.taskName) for record in kept.records] == [("mine", "log_in_a_thread")]


def test_records_of_tasks_of_tasks_arrive(kept, executor):
    executor.submit(logs_tasks.log_in_a_child).result()
    assert kept.texts == ["parent", "child"]


def test_task_of_asyncio_keeps_its_name(kept, executor):
    executor.submit(logs_tasks.log_in_asyncio).result()
    assert [record.taskName for record in kept.records] == ["Task-1", "log_in_asyncio"]


def test_records_of_a_fallback_process_arrive_at_the_end_of_the_task(kept):
    initializer = {"initializer": logs_tasks.log, "initargs": ("first",)}
    with InterpreterPoolExecutor(
        1, fallback="process", route=["logs_tasks"], thread_name_prefix="worker", **initializer
    ) as executor:
        executor.submit(logs_tasks.log_many, "x", 2).result()
        assert kept.texts == ["first", "x 0", "x 1"]
    assert {record.threadName for record in kept.records} == {"worker_process_0"}
    assert [record.taskName for record in kept.records] == [None, "log_many", "log_many"]
    assert os.getpid() not in {record.process for record in kept.records}


def test_records_of_a_fallback_thread_are_not_doubled(kept):
    with InterpreterPoolExecutor(1, fallback="thread", route=["logs_tasks"]) as executor:
        executor.submit(logs_tasks.log_many, "x", 2).result()
    assert kept.texts == ["x 0", "x 1"]


def test_records_of_an_interrupted_task_arrive(kept, executor, started):
    future = executor.submit(logs_tasks.log_until_interrupted, started)
    started.get(timeout=60)
    assert future.interrupt()
    assert kept.texts == ["before", "after"]


def test_record_of_an_abandoned_worker_arrives_with_the_name_of_its_task(kept, executor):
    said, say = os.pipe()
    wait, go = os.pipe()
    arrived = threading.Event()
    kept.act = lambda record: arrived.set() if record.name == "work" else None
    try:
        future = executor.submit(logs_tasks.log_when_let_go, say, wait)
        os.read(said, 1)
        assert not future.interrupt(timeout=0.01)
        assert not future.exception().has_stopped
        os.write(go, b"xx")
        assert arrived.wait(60)
    finally:
        for descriptor in (said, say, wait, go):
            os.close(descriptor)
    (record,) = [record for record in kept.records if record.name == "work"]
    assert (record.getMessage(), record.threadName, record.taskName) == ("late", "worker_0", "log_when_let_go")


def test_warnings_are_logged_if_those_of_the_program_are(kept):
    logging.captureWarnings(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            with InterpreterPoolExecutor(1) as executor:
                executor.submit(logs_tasks.warn).result()
                executor.submit(logs_tasks.warn).result()
    finally:
        logging.captureWarnings(False)
    assert [(record.name, "UserWarning: careful" in record.getMessage()) for record in kept.records] == [
        ("py.warnings", True)
    ] * 2


def test_next_executor_of_a_warm_interpreter_forwards_nothing_of_the_one_before(kept):
    logging.getLogger("loud").setLevel("DEBUG")
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(logs_tasks.log, "first").result()
    with InterpreterPoolExecutor(1, log="worker") as executor:
        assert executor.submit(logs_tasks.state).result() == (None, [], logging.WARNING, "logging")
        assert executor.submit(logs_tasks.effective, "loud").result() == [logging.WARNING]
    assert kept.texts == ["first"]


def test_worker_that_gets_a_new_interpreter_forwards_as_before(kept):
    with InterpreterPoolExecutor(1, max_tasks_per_child=1) as executor:
        for number in range(3):
            executor.submit(logs_tasks.log_one, number).result()
    assert kept.texts == ["0", "1", "2"]


def test_task_that_does_not_log_imports_no_logging(kept):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        assert "logging" not in executor.submit(tasks.modules).result()
