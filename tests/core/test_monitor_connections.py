"""Whom a monitor reads, answers and closes: what a client sends costs a bounded amount, whatever it is."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from interp_pool._seeing.connections import MOST, PAUSE, Connection, next_to_close
from interp_pool._seeing.shapes import LONGEST_QUESTION


def drain(connection):
    sent = bytes(connection.unsent)
    connection.note_sent(len(sent))
    return sent


def test_question_is_answered_and_the_next_one_waits_for_a_while():
    one = Connection(10.0)
    assert one.is_reading
    one.take(b"first\nsecond\n", 11.0)
    assert one.is_asking
    assert not one.is_reading
    assert one.next_line() == b"first"
    one.answer(b"1", 11.5)
    assert one.is_writing
    assert not one.is_asking  # not before it has got that
    assert drain(one) == b"1\n"
    assert one.is_asking
    assert one.rests_until == 11.5 + PAUSE
    assert one.next_line() == b"second"


def test_answer_goes_in_pieces():
    one = Connection(0.0)
    one.take(b"?\n", 0.0)
    one.next_line()
    one.answer(b"abc", 0.0)
    one.note_sent(2)
    assert bytes(one.unsent) == b"c\n"
    assert one.is_writing
    one.note_sent(2)
    assert one.is_reading


def test_line_without_end_is_refused_and_ends_the_connection():
    one = Connection(0.0)
    one.take(b"x" * LONGEST_QUESTION, 0.0)
    assert one.is_reading
    one.take(b"x", 0.0)
    assert not one.is_done
    assert "one line" in json.loads(drain(one))["error"]
    assert one.is_done


def test_who_ends_after_a_question_still_gets_the_answer():
    one = Connection(0.0)
    one.take(b"?\n", 0.0)
    one.take(b"", 0.0)
    assert not one.is_done
    one.next_line()
    one.answer(b"!", 0.0)
    assert not one.is_done
    assert drain(one) == b"!\n"
    assert one.is_done


@given(st.lists(st.binary(max_size=3000).filter(len)))
def test_what_is_kept_is_bounded(chunks):
    """It reads only when it owes nothing, and so no more than a chunk beyond the longest question."""
    one = Connection(0.0)
    for chunk in chunks:
        if one.is_reading:
            one.take(chunk, 0.0)
        if one.is_asking:
            one.next_line()
            one.answer(b"!", 0.0)
            drain(one)
        assert len(one._inbox) <= LONGEST_QUESTION + 3000


def test_when_there_are_too_many_the_quietest_makes_room():
    those = {number: Connection(float(number)) for number in range(MOST)}
    assert next_to_close(dict(list(those.items())[1:])) is None
    those[0].heard_at = 100.0
    assert next_to_close(those) == 1
