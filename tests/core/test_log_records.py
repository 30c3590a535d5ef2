"""What is told of a record, who has it already, and what workers are told of loggers: without interpreters."""

from __future__ import annotations

import logging
import sys
from enum import IntEnum, StrEnum
from marshal import loads

import pytest
from records import Kept

from interp_api import decode
from interp_pool._core.task import Task
from interp_pool._core.told import Told
from interp_pool._seeing.levels import encoded_levels, follow_levels, is_configured
from interp_pool._seeing.logs import hear
from interp_pool._worker import forwarding
from interp_pool._worker.forwarding import _is_taken, message_of


@pytest.fixture
def bare():
    """A tree without handlers, pytest's among them; loggers that the test makes are forgotten."""
    root = logging.root
    before = root.handlers, root.level, {*root.manager.loggerDict}
    root.handlers = []
    yield root
    root.handlers = before[0]
    root.setLevel(before[1])
    for name in root.manager.loggerDict.keys() - before[2]:
        del root.manager.loggerDict[name]
    logging.disable(logging.NOTSET)


def record_of(msg, *args, **attributes):
    record = logging.LogRecord("core.work", logging.INFO, __file__, 7, msg, args, None, "work")
    record.__dict__.update(attributes)
    return record


class Text:
    def __str__(self):
        return "text"


@pytest.mark.parametrize(
    ("msg", "args", "told"),
    [
        ("plain", (), ("plain", ())),
        ("%s %d %s", ("a", 2**70, None), ("%s %d %s", ("a", 2**70, None))),
        ("%s", ([1],), ("[1]", None)),
        ("%(a)s", ({"a": 1},), ("1", None)),
        (Text(), (), ("text", None)),
    ],
)
def test_message_is_formatted_unless_all_of_it_are_scalars(msg, args, told):
    attributes, payloads = loads(message_of(record_of(msg, *args)))
    assert (attributes["msg"], attributes["args"]) == told
    assert payloads == {}


def test_record_itself_stays_as_it_is():
    record = record_of("%s", [1], extra=Text())
    before = {**record.__dict__}
    message_of(record)
    assert record.__dict__ == before


def test_attributes_that_are_no_scalars_are_pickled_or_become_text():
    lines = (line for line in ())  # cannot be pickled
    attributes, payloads = loads(message_of(record_of("text", items=[1], lines=lines, number=1.5)))
    assert {name: decode(payload) for name, payload in payloads.items()} == {"items": [1]}
    assert attributes["lines"] == repr(lines)
    assert attributes["number"] == 1.5


class Level(IntEnum):
    AUDIT = 35


class Name(StrEnum):
    WORK = "core.work"


class Braced(logging.LogRecord):
    def getMessage(self):  # noqa: N802  # as its base
        return self.msg.format(*self.args)


class Odd:
    def __reduce__(self):
        raise TypeError("not this one")

    def __repr__(self):
        raise ValueError("nor like this")


def test_level_and_name_may_be_members_of_an_enum():
    attributes, payloads = loads(message_of(record_of("text", name=Name.WORK, levelno=Level.AUDIT)))
    assert (attributes["name"], attributes["levelno"], payloads) == ("core.work", 35, {})
    assert loads(message_of(record_of("text", name=None)))[0]["name"] is None


def test_record_of_a_class_of_its_own_is_formatted_where_it_is_made():
    attributes, _ = loads(message_of(Braced("core.work", logging.INFO, __file__, 7, "{} of {}", (1, 2), None)))
    assert (attributes["msg"], attributes["args"]) == ("1 of 2", None)


def test_attribute_that_has_not_even_a_repr_keeps_no_record_back():
    attributes, _ = loads(message_of(record_of("text", odd=Odd())))
    assert attributes["odd"] == "<Odd whose repr() failed: nor like this>"


def test_exception_goes_as_text_once():
    try:
        raise ValueError("bad")
    except ValueError:
        record = record_of("text", exc_info=sys.exc_info())
    attributes, _ = loads(message_of(record))
    assert attributes["exc_info"] is None
    assert attributes["exc_text"].endswith("ValueError: bad")
    record.exc_text = "formatted before"
    assert loads(message_of(record))[0]["exc_text"] == "formatted before"


@pytest.mark.parametrize(
    ("name", "handler", "level", "is_taken"),
    [
        ("root", logging.StreamHandler(), logging.NOTSET, True),
        ("core", logging.StreamHandler(), logging.INFO, True),
        ("core.work", logging.StreamHandler(), logging.ERROR, False),
        ("core", logging.NullHandler(), logging.NOTSET, False),
        ("elsewhere", logging.StreamHandler(), logging.NOTSET, False),
    ],
)
def test_record_is_taken_by_a_handler_on_the_way_to_the_root(bare, name, handler, level, is_taken):
    bare.handlers = []  # pytest has added some since
    logging.getLogger("core.work")
    handler.setLevel(level)
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    assert _is_taken(record_of("text")) is is_taken
    logger.removeHandler(handler)


def test_handler_beyond_a_logger_that_does_not_propagate_takes_nothing(bare):
    logger, handler = logging.getLogger("core.work"), logging.NullHandler()
    bare.handlers = [logging.StreamHandler()]
    logger.propagate = False
    assert not _is_taken(record_of("text"))
    logger.addHandler(handler)
    logger.propagate = True
    assert _is_taken(record_of("text"))
    logger.removeHandler(handler)


def test_program_is_configured_by_any_handler_that_does_something(bare):
    bare.handlers = []  # as above
    assert not is_configured()
    logging.getLogger("core.library").addHandler(logging.NullHandler())
    assert not is_configured()
    logging.getLogger("core.app").addHandler(logging.StreamHandler())
    assert is_configured()


def test_workers_are_told_the_levels_that_are_set(bare):
    bare.setLevel("ERROR")
    logging.getLogger("core.loud").setLevel("DEBUG")
    logging.getLogger("core.off").disabled = True
    logging.getLogger("core.usual")
    logging.disable(logging.INFO)
    number, disabled, captures, loggers = loads(encoded_levels())
    assert (disabled, captures, loggers[0]) == (logging.INFO, False, ("root", logging.ERROR, False))
    assert [each for each in loggers if each[0].startswith("core.")] == [
        ("core.loud", logging.DEBUG, False),
        ("core.off", logging.NOTSET, True),
    ]
    assert loads(encoded_levels())[0] > number


def test_levels_that_are_members_of_an_enum_are_told_as_numbers(bare):
    logging.getLogger(Name.WORK).setLevel(Level.AUDIT)
    logging.disable(Level.AUDIT)
    _, disabled, _, loggers = loads(encoded_levels())
    assert disabled == 35
    assert ("core.work", 35, False) in loggers


def test_worker_forgets_once_what_loggers_have_cached(bare, monkeypatch):
    cleared, loggers = [], [("core.loud", logging.DEBUG, False), ("core.off", logging.ERROR, True)]
    monkeypatch.setattr(bare.manager, "_clear_cache", lambda: cleared.append([getattr(*each) for each in watched]))
    watched = [(logging.getLogger(name), "level") for name, *_ in loggers]
    try:
        forwarding.begin(0, False, loggers)
        forwarding.begin(0, False, loggers[:1])
    finally:
        forwarding.end()
    assert cleared == [[logging.DEBUG, logging.ERROR], [logging.DEBUG, logging.NOTSET]]
    assert not logging.getLogger("core.off").disabled


def test_follower_is_told_of_each_change_as_long_as_it_lives(bare):
    class Follower:
        def note_change(self):
            met.append(None)

    met, follower = [], Follower()
    follow_levels(follower)
    logging.getLogger("core.loud").setLevel("DEBUG")
    logging.disable(logging.INFO)
    assert len(met) == 2
    del follower
    bare.setLevel("ERROR")
    assert len(met) == 2


def test_record_gets_the_names_it_lacks(bare):
    bare.addHandler(kept := Kept())
    bare.setLevel("INFO")
    task = Task(None, record_of, b"")
    for attributes in ({"threadName": "MainThread"}, {"threadName": "mine", "taskName": "Task-1"}):
        hear(Told(message_of(record_of("text", **attributes)), "worker_0", task))
    hear(Told(message_of(record_of("text", threadName=None)), "worker_1", None, "given up"))
    assert [(record.threadName, record.taskName) for record in kept.records] == [
        ("worker_0", "record_of"),
        ("mine", "Task-1"),
        ("worker_1", "given up"),
    ]


def test_level_has_the_name_that_the_program_gives_it(bare):
    bare.addHandler(kept := Kept())
    bare.setLevel("INFO")
    before = logging.getLevelName(logging.INFO)
    logging.addLevelName(logging.INFO, "NOTE")
    try:
        for name in ("INFO", "named in the task"):
            hear(Told(message_of(record_of("text", levelname=name)), "worker_0", None))
    finally:
        logging.addLevelName(logging.INFO, before)
    assert [record.levelname for record in kept.records] == ["NOTE", "named in the task"]


def test_record_below_the_level_on_arrival_is_dropped(bare):
    bare.addHandler(kept := Kept())
    bare.setLevel("WARNING")
    hear(Told(message_of(record_of("text")), "worker_0", None))
    assert kept.records == []
