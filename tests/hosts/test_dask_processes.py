"""ClusterExecutor over worker processes: one killed, started by command, with TLS, across network namespaces."""

from __future__ import annotations

import _interpreters
import logging
import os
import shutil
import signal
import subprocess
import sys
import uuid
from concurrent.futures import CancelledError

import pytest
from dask_programs import CONFIGURATION, Programs
from dask_tasks import add, die, place, spin, square_or_spin, triangle

from interp_pool import WorkerLostError

distributed = pytest.importorskip("distributed")

import dask  # noqa: E402

from interp_pool.dask import ClusterExecutor  # noqa: E402

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.timeout(180),
    pytest.mark.leaks("a cluster has threads and connections when it likes"),
]


@pytest.fixture(scope="module", autouse=True)
def _offload_thread():
    """Start the thread that distributed starts once in a process."""
    distributed.utils._offload_executor.submit(abs, 1).result()


@pytest.fixture
def programs(tmp_path):
    programs = Programs(tmp_path)
    yield programs
    told = programs.end()
    assert not [each for each in told if "IT DID NOT END" in each or "Traceback" in each], "\n".join(told)


@pytest.fixture
def executor():
    cluster = distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    )
    with cluster, distributed.Client(cluster) as client, ClusterExecutor(client) as executor:
        yield executor


def test_killed_worker_loses_no_result(executor, fifo, tmp_path):
    mark, log = str(tmp_path / "mark"), tmp_path / "log"
    count = 60
    arguments = [7] * count, [fifo.path] * count, [mark] * count, [str(log)] * count
    results = executor.map(square_or_spin, range(count), *arguments, chunksize=1)
    os.kill(int(fifo.line()), signal.SIGKILL)
    assert list(results) == [number * number for number in range(count)]
    done = [int(line) for line in log.read_text().split()]
    assert set(done) == set(range(count))
    assert executor.statistics().tasks_lost == 0


def test_killed_worker_loses_no_batch(executor, fifo, tmp_path):
    mark, log = str(tmp_path / "mark"), tmp_path / "log"
    count = 300
    arguments = [150] * count, [fifo.path] * count, [mark] * count, [str(log)] * count
    results = executor.map(square_or_spin, range(count), *arguments)
    os.kill(int(fifo.line()), signal.SIGKILL)
    assert list(results) == [number * number for number in range(count)]


def test_task_that_kills_its_workers_is_given_up_and_they_are_named(executor, tmp_path):
    for retries in (0, 1):
        log = tmp_path / f"log{retries}"
        with pytest.raises(WorkerLostError, match=rf"'die-.*with retries={retries}: .* the last one tcp://127") as info:
            executor.options(retries=retries).submit(die, str(log)).result()
        assert isinstance(info.value.__cause__, distributed.KilledWorker)
        assert log.read_text().split() == ["died"] * (retries + 1)
    assert executor.statistics().tasks_lost == 2
    assert executor.submit(add, 1).result() == 1


def test_cluster_started_by_command(programs):
    programs.scheduler()
    ours = [
        programs.worker("--nthreads", "2", "--preload", "interp_pool.dask", DASK_INTERP_POOL__DEFAULT="true")
        for _ in range(2)
    ]
    with distributed.Client(scheduler_file=programs.scheduler_file) as client:
        client.wait_for_workers(2, timeout=60)
        places = client.gather(client.map(place, range(20), pure=False))
        assert {there[0] for there in places} == {process.pid for process in ours}
        assert all(is_interpreter for _, is_interpreter in places)
        with dask.annotate(executor="interpreters"):
            assert client.submit(triangle, 10).result() == 45
        with ClusterExecutor(client) as executor:
            assert list(executor.map(triangle, range(100))) == [*map(triangle, range(100))]
            assert executor.statistics().workers == 2


def test_scheduler_that_lacks_the_package_serves_the_plugin_and_the_executor_says_what_is_missing(tmp_path):
    programs = Programs(tmp_path)
    (tmp_path / "interp_pool.py").write_text("raise ModuleNotFoundError(\"No module named 'interp_pool'\")\n")
    try:
        programs.scheduler(PYTHONPATH=str(tmp_path))
        programs.worker("--nthreads", "2", "--preload", "interp_pool.dask")
        with distributed.Client(scheduler_file=programs.scheduler_file) as client:
            client.wait_for_workers(1, timeout=60)
            with dask.annotate(executor="interpreters"):
                assert client.submit(_interpreters.get_current).result()[0] != _interpreters.get_main()[0]
            with pytest.raises(ModuleNotFoundError, match="No module named 'interp_pool'") as info:
                ClusterExecutor(client)
            assert info.value.__notes__ == [
                "interp_pool must be installed where the scheduler runs, and where the workers do"
            ]
    finally:
        told = programs.end()
    assert "IT DID NOT END" not in "".join(told)


def test_killed_scheduler_cancels_what_is_open(tmp_path, fifo):
    programs = Programs(tmp_path)
    try:
        scheduler = programs.scheduler()
        programs.worker("--nthreads", "1")
        with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
            client = distributed.Client(scheduler_file=programs.scheduler_file, set_as_default=False)  # closed twice
        with client:
            executor = ClusterExecutor(client)
            future = executor.submit(spin, fifo.path)
            results = executor.map(triangle, range(1000), chunksize=1)
            fifo.line()
            scheduler.kill()
            with pytest.raises(CancelledError):
                future.result(60)
            with pytest.raises(CancelledError):
                list(results)
            executor.shutdown()
    finally:
        programs.end()


PENDING = """
import sys
from dask_tasks import spin
from distributed import Client, LocalCluster
from interp_pool.dask import ClusterExecutor

if __name__ == "__main__":
    where = sys.argv[2] == "processes"
    cluster = LocalCluster(n_workers=1, threads_per_worker=2, processes=where, dashboard_address=":0")
    executor = ClusterExecutor(Client(cluster))
    futures = [executor.submit(spin, sys.argv[1]) for _ in range(5)]
    with open(sys.argv[1]) as file:
        file.readline()
"""


@pytest.mark.parametrize("where", ["processes", "threads"])
def test_program_ends_although_tasks_run(fifo, tmp_path, where):
    script = tmp_path / "pending.py"
    script.write_text(PENDING, "utf-8")
    done = subprocess.run(
        [sys.executable, script, fifo.path, where],
        env=os.environ | CONFIGURATION,
        capture_output=True,
        check=False,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr


def certificate(directory):
    """Make a key and a certificate for it, signed by itself; return their files."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl program")
    key, made = directory / "key.pem", directory / "cert.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", key, "-out", made], check=True, capture_output=True)
    return str(key), str(made)


def test_cluster_with_tls(programs, tmp_path):
    key, made = certificate(tmp_path)
    flags = "--tls-ca-file", made, "--tls-cert", made, "--tls-key", key
    programs.scheduler("--protocol", "tls", *flags)
    programs.worker("--nthreads", "2", "--protocol", "tls", *flags)
    security = distributed.Security(tls_ca_file=made, tls_client_cert=made, tls_client_key=key, require_encryption=True)
    with distributed.Client(scheduler_file=programs.scheduler_file, security=security) as client:
        client.wait_for_workers(1, timeout=60)
        assert client.scheduler.address.startswith("tls://")
        with ClusterExecutor(client) as executor:
            assert list(executor.map(triangle, range(100))) == [*map(triangle, range(100))]
            (address,) = executor.statistics().of_workers
            assert address.startswith("tls://")
            assert executor.submit(place).result()[1]


CLIENT = """
import sys
from dask_tasks import place, triangle
from distributed import Client
from interp_pool.dask import ClusterExecutor

with Client(scheduler_file=sys.argv[1]) as client:
    client.wait_for_workers(1, timeout=60)
    with ClusterExecutor(client) as executor:
        assert executor.submit(place).result()[1]
        assert list(executor.map(triangle, range(100))) == [*map(triangle, range(100))]
        print(*executor.statistics().of_workers)
"""


@pytest.fixture
def namespaces():
    """Give two network namespaces that are joined by a cable, as prefixes of commands."""
    ip = shutil.which("ip")
    if ip is None or sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs Linux, the ip program, and root")
    token = uuid.uuid4().hex[:8]
    names = f"ipa{token}", f"ipb{token}"

    def run(*arguments):
        subprocess.run([ip, *arguments], check=True, capture_output=True, text=True)

    try:
        run("netns", "add", names[0])
    except subprocess.CalledProcessError as exc:
        pytest.skip(f"network namespaces are not allowed here: {exc.stderr.strip()}")
    try:
        run("netns", "add", names[1])
        run(
            "link",
            "add",
            f"va{token}",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "name",
            f"vb{token}",
            "netns",
            names[1],
        )
        for name, cable, address in zip(names, (f"va{token}", f"vb{token}"), ("10.213.7.1", "10.213.7.2"), strict=True):
            run("-n", name, "addr", "add", f"{address}/24", "dev", cable)
            run("-n", name, "link", "set", cable, "up")
            run("-n", name, "link", "set", "lo", "up")
        yield [(ip, "netns", "exec", name) for name in names]
    finally:
        for name in names:
            subprocess.run([ip, "netns", "del", name], check=False, capture_output=True)


def test_cluster_across_two_networks(programs, namespaces, tmp_path):
    here, there = namespaces
    programs.scheduler("--host", "10.213.7.1", prefix=here)
    programs.worker("--nthreads", "2", "--host", "10.213.7.2", prefix=there)
    script = tmp_path / "client.py"
    script.write_text(CLIENT, "utf-8")
    done = subprocess.run(
        [*here, sys.executable, script, programs.scheduler_file],
        env=os.environ | CONFIGURATION,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tcp://10.213.7.2:")
