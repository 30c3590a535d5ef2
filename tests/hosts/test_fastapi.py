"""A FastAPI app under uvicorn: it answers at once while a worker computes, and a client that goes away stops that."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from contextlib import asynccontextmanager

import pytest
import tasks

from interp_pool import InterpreterPoolExecutor

fastapi = pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")
uvicorn = pytest.importorskip("uvicorn")

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.leaks("the server's pool keeps a queue with what it told its workers of the program's loggers"),
]

PINGS = 200
FAST = 5e-3  # seconds


@asynccontextmanager
async def lifespan(app):
    with InterpreterPoolExecutor(1) as executor:
        app.state.executor = executor
        await executor.run(abs, 1)
        yield


def make_app():
    app = fastapi.FastAPI(lifespan=lifespan)

    @app.get("/ping")
    async def ping():
        return "pong"

    @app.get("/work")
    async def work(seconds: float):
        return await app.state.executor.run(tasks.spend_and_return, seconds, "done")

    @app.get("/works")
    async def works(count: int):
        return [each async for each in app.state.executor.amap(abs, range(-count, 0))]

    @app.get("/limited")
    async def limited(seconds: float):
        try:
            async with asyncio.timeout(seconds):
                await app.state.executor.run(tasks.spend, 60)
        except TimeoutError:
            return "stopped"

    return app


@pytest.fixture(scope="module")
def server():
    """The address of a server in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(make_app(), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(60)


def seconds_of_pings(client):
    taken = []
    for _ in range(PINGS):
        before = time.perf_counter()
        assert client.get("/ping").json() == "pong"
        taken.append(time.perf_counter() - before)
    return statistics.median(taken)


def test_pings_are_answered_at_once_while_work_runs(server):
    with httpx.Client(base_url=server, timeout=60) as client, httpx.Client(base_url=server, timeout=60) as other:
        alone = seconds_of_pings(client)
        is_over, worked = threading.Event(), []

        def work():
            while not is_over.is_set():
                worked.append(other.get("/work", params={"seconds": 0.05}).json())

        working = threading.Thread(target=work)
        working.start()
        beside = seconds_of_pings(client)
        is_over.set()
        working.join(60)
    assert set(worked) == {"done"}
    assert beside < max(FAST, 3 * alone), f"{beside * 1e3:.1f} ms, and {alone * 1e3:.1f} ms alone"


def test_map_and_timeout_in_a_request(server):
    with httpx.Client(base_url=server, timeout=60) as client:
        assert client.get("/works", params={"count": 100}).json() == [*range(100, 0, -1)]
        assert client.get("/limited", params={"seconds": 0.02}).json() == "stopped"
        assert client.get("/work", params={"seconds": 0.0}).json() == "done"
