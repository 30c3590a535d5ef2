"""Connections and sockets as arguments, initargs and results: each object has a descriptor of its own."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
from concurrent.futures import wait

import descriptor_tasks as tasks
import pytest
import scripts
import tasks as common_tasks

import interp_api
from interp_api import NotShareableError, create_queue
from interp_pool import InterpreterPoolExecutor, ResultPicklingError, TaskPicklingError


@pytest.fixture
def pipe():
    ends = multiprocessing.Pipe()
    yield ends
    for end in ends:
        end.close()


def test_connection_is_closed_by_the_task_and_the_parent_without_harm_to_others(single, pipe, tmp_path):
    here, there = pipe
    single.submit(tasks.send_and_close, there).result(60)
    with (tmp_path / "file").open("w") as file:  # gets the descriptor that was freed last
        there.close()
        file.write("important")
    assert (tmp_path / "file").read_text() == "important"
    assert here.recv() == "hi"
    with pytest.raises(EOFError):
        here.recv()


def test_connection_may_be_closed_by_its_sender_at_once(single, pipe):
    here, there = pipe
    future = single.submit(tasks.send_and_close, there)
    there.close()
    future.result(60)
    assert here.recv() == "hi"


def test_connections_in_nested_structures_arrive_with_descriptors_of_their_own(single):
    ends = [end for _ in range(2) for end in multiprocessing.Pipe()]
    numbers = single.submit(tasks.descriptors_of, *ends).result(60)
    assert not set(numbers) & {end.fileno() for end in ends}
    found = single.map(tasks.identity, ends)
    assert [*found] == [tasks.identity(end) for end in ends]
    for end in ends:
        end.close()


def test_same_connection_twice_in_one_message_is_one_object(single, pipe):
    first, second = single.submit(tasks.descriptors_of, pipe[0], pipe[0]).result(60)
    assert first == second != pipe[0].fileno()


def test_connections_of_one_direction_keep_it(single):
    reader, writer = multiprocessing.Pipe(duplex=False)
    single.submit(tasks.send_and_close, writer).result(60)
    assert reader.recv() == "hi"
    with pytest.raises(OSError, match="read-only"):
        single.submit(tasks.send_and_close, reader).result(60)
    reader.close()
    writer.close()


def test_sockets_are_sent_as_connections_are(single):
    pairs = [socket.socketpair() for _ in range(2)]
    single.submit(tasks.answer_on, [there for _, there in pairs]).result(60)
    for here, there in pairs:
        there.close()
        assert (here.recv(99), here.recv(99)) == (b"bytes", b"")
        here.close()


def test_results_with_connections_and_sockets_belong_to_the_parent():
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        connection = executor.submit(tasks.open_pipe).result(60)["connection"]
        received = executor.submit(tasks.open_socketpair).result(60)
    assert connection.recv() == "from the worker"
    assert received.recv(99) == b"bytes"
    assert received.family == socket.AF_UNIX
    connection.close()
    received.close()


def test_initargs_are_duplicated_for_each_worker(pipe):
    here, there = pipe
    with InterpreterPoolExecutor(2, initializer=tasks.keep, initargs=(there,), max_tasks_per_child=1) as executor:
        there.close()
        for number in range(5):
            executor.submit(tasks.send_on_kept, number).result(60)
    assert [here.recv() for _ in range(5)] == [0, 1, 2, 3, 4]


def test_task_that_is_cancelled_before_it_is_received_leaks_nothing(single, pipe):
    here, there = pipe
    blocker, go_on = create_queue(), create_queue()
    running = single.submit(common_tasks.hold, blocker, go_on)
    blocker.get(timeout=60)
    futures = [single.submit(tasks.send_and_close, there) for _ in range(20)]
    there.close()
    left = [future for future in futures if not future.cancel()]
    go_on.put(None)
    running.result(60)
    wait(left, 60)
    assert len(left) < 20
    assert [here.recv() for _ in left] == ["hi"] * len(left)
    del futures, left
    with pytest.raises(EOFError):
        here.recv()


def test_message_that_cannot_be_received_leaks_nothing(single, pipe):
    with pytest.raises(TaskPicklingError, match="refused"):
        single.submit(tasks.descriptors_of, pipe[0], tasks.Refuses()).result(60)


def test_message_that_cannot_be_sent_leaks_nothing(single, pipe):
    with pytest.raises(TaskPicklingError, match="not to be sent"):
        single.submit(tasks.descriptors_of, pipe[0], tasks.Boom()).result(60)


def test_closed_connection_is_refused_with_a_clear_error(single, pipe):
    pipe[0].close()
    with pytest.raises(TaskPicklingError, match="closed"):
        single.submit(tasks.descriptors_of, pipe[0]).result(60)
    closed = socket.socket()
    closed.close()
    with pytest.raises(TaskPicklingError, match="closed"):
        single.submit(tasks.answer_on, [closed]).result(60)


def test_payload_can_be_received_several_times_and_not_after_it_is_gone(pipe):
    payload = interp_api.encode([pipe[0]], share=False)
    received = [interp_api.decode(payload)[0] for _ in range(3)]
    assert len({each.fileno() for each in received} | {pipe[0].fileno()}) == 4
    pickled = payload[0]
    del payload
    with pytest.raises(OSError, match="its sender's interpreter, or the message it came with, is gone"):
        interp_api.decode(pickled)
    for each in received:
        each.close()


def test_connection_goes_through_a_queue_of_both_kinds_of_interpreters(pipe):
    queue, interpreter = create_queue(), interp_api.create()
    queue.put({"end": pipe[0]})
    interpreter.exec(f"import sys; sys.path.append({os.path.dirname(tasks.__file__)!r})")
    interpreter.call(tasks.put_and_return, queue, [pipe[1]])
    arrived = queue.get()["end"]
    back = queue.get()
    arrived.send("there")
    assert back.recv() == "there"
    interpreter.close()
    arrived.close()
    back.close()


def test_item_that_nobody_gets_is_closed_with_the_interpreter_that_put_it(pipe):
    queue, interpreter = create_queue(), interp_api.create()
    interpreter.exec(f"import sys; sys.path.append({os.path.dirname(tasks.__file__)!r})")
    interpreter.call(tasks.put_and_return, queue, [pipe[1]])
    pipe[1].close()
    interpreter.close()
    assert queue.get() is interp_api.UNBOUND
    with pytest.raises(EOFError):
        pipe[0].recv()


def test_own_pickles_of_the_program_are_what_they_were(pipe):
    interp_api.encode([pipe[0]], share=False)
    copy = pickle.loads(pickle.dumps(pipe[0]))
    assert copy.fileno() == pipe[0].fileno()
    copy._handle = None  # or it would close it
    with socket.socket() as own, pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(own)


def test_large_message_with_a_connection_arrives_whole(pipe):
    queue = create_queue()
    queue.put([pipe[0], bytes(1_000_000), [*range(50_000)]])
    connection, data, numbers = queue.get()
    assert connection.fileno() != pipe[0].fileno()
    assert (len(data), len(numbers)) == (1_000_000, 50_000)
    connection.close()


def test_result_that_cannot_be_sent_leaks_nothing(single):
    with pytest.raises(ResultPicklingError):
        single.submit(tasks.unsendable_pipe).result(60)


SCRIPT = """
import multiprocessing
from interp_pool import InterpreterPoolExecutor

def send(connection):
    connection.send("hi")
    connection.close()

if __name__ == "__main__":
    here, there = multiprocessing.Pipe()
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(send, there).result()
        file = open("file", "w")
        there.close()
        file.write("important")
        file.close()
    print(here.recv(), open("file").read())
"""


@pytest.mark.programs
def test_script_whose_functions_are_in_main_sends_duplicates(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert scripts.run_text(tmp_path, SCRIPT, options=("-P",)) == (0, "hi important\n", "")


def test_not_shareable_error_names_a_closed_connection_in_a_queue(pipe):
    pipe[0].close()
    with pytest.raises(NotShareableError, match="closed"):
        create_queue().put(pipe[0])
