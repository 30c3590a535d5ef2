"""The set-up on a machine without a suitable Python: which ways it tries, what it says, and what it leaves alone.

Each test has a machine of its own: a PATH with the few commands that the scripts need and the stand-ins a test adds, an
empty home, and a copy of the scripts. Nothing is downloaded.
"""

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"
COMMANDS = [
    "sh",
    "dirname",
    "mkdir",
    "rm",
    "mv",
    "cat",
    "sort",
    "tail",
    "cut",
    "awk",
    "true",
    "flock",
    "touch",
    "ln",
    "find",
    "head",
    "chmod",
]

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(sys.platform == "win32", reason="no shell on this platform"),
    pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="the set-up wants a GIL"),
    pytest.mark.skipif(not TOOLS.exists(), reason="the scripts are not part of a source distribution"),
    pytest.mark.skipif(not shutil.which("flock"), reason="needs flock"),
]

# Python 3.11 with pip, without venv: its pip puts the stand-in for uv where it is told to.
OLD_PYTHON = """
case "$1 $2" in
  "-c "*) case $2 in *_interpreters*) exit 1 ;; *) echo "1 030b07f0 $0" ;; esac ;;
  "-m pip")
    echo "pip $*" >>"$CALLS"
    while [ "$1" != --target ]; do shift; done
    mkdir -p "$2/bin" && ln -s "$UV" "$2/bin/uv" ;;
  *) exit 1 ;;
esac
"""
FAILING_PIP = OLD_PYTHON.replace("mkdir -p", "echo 'ERROR: no network' >&2 && exit 1; mkdir -p")
WORKING_UV = """
echo "uv $*" >>"$CALLS"
mkdir -p "$UV_PYTHON_INSTALL_DIR/cpython/bin" && ln -s "$REAL_PYTHON" "$UV_PYTHON_INSTALL_DIR/cpython/bin/python3"
"""
REFUSED_UV = """
echo "uv $*" >>"$CALLS"
printf 'Downloading it\\nerror: Failed to install\\n  cause: Request failed\\n  cause: no such host\\n' >&2
exit 1
"""
WORKING_DEBIAN = 'mkdir -p "$1/usr/bin" && ln -s "$REAL_PYTHON" "$1/usr/bin/python$2" && touch "$1/.complete"'
# Makes an environment whose pip notes what it is asked to do, and fails while there is a file that says so.
VENV = """
echo "venv" >>"$CALLS"
rm -rf "$2"
mkdir -p "$2/bin"
cat >"$2/bin/python" <<'END'
#!/bin/sh
[ "$2" = pip ] || exec "$REAL_PYTHON" "$@"
[ "$3" = --version ] || echo "pip" >>"$CALLS"
[ ! -e "$CALLS.offline" ]
END
chmod +x "$2/bin/python"
"""
REFUSED_DEBIAN = "echo 'E: no archive' >&2; exit 100"


class Machine:
    """A PATH, a home and a checkout with nothing but the scripts."""

    def __init__(self, root: Path) -> None:
        self.bin, self.home, self.uv, self.calls = root / "bin", root / "home", root / "uv", root / "calls"
        self.cache = self.home / ".cache" / "interp-pool"
        self.checkout = root / "checkout"
        self.bin.mkdir()
        self.home.mkdir()
        self.calls.touch()
        shutil.copytree(TOOLS, self.checkout / "tools")
        for name in COMMANDS:
            (self.bin / name).symlink_to(shutil.which(name) or name)
        self.environment = {
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "CALLS": str(self.calls),
            "UV": str(self.uv),
            # The stand-in for a new Python runs the real one, whose name is not what it is called by.
            "REAL_PYTHON": str(root / "python"),
        }
        self.write(root / "python", f'exec "{sys.executable}" "$@"')

    def write(self, path: Path, script: str) -> None:
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def has(self, name: str, script: str) -> None:
        self.write(self.bin / name, script)

    def has_debian(self, script: str) -> None:
        self.has("apt-get", "exit 1")
        self.has("dpkg-deb", "exit 1")
        self.write(self.checkout / "tools" / "debian-pythons", script)

    def has_checkout(self) -> None:
        for name in ("pyproject.toml", "README.md", "LICENSE", "interp_api", "interp_pool"):
            (self.checkout / name).touch()
        self.has("python3", 'exec "$REAL_PYTHON" "$@"')
        self.write(self.checkout / "tools" / "venv", VENV)

    def start(self, script: str = "get-python", *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.checkout / "tools" / script, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str = "get-python", *arguments: str) -> tuple[int, str, list[str]]:
        with self.start(script, *arguments) as process:
            output, errors = process.communicate(timeout=60)
        return process.returncode, output.strip(), errors.splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_uv_of_the_machine_is_used_before_anything_is_downloaded(machine: Machine) -> None:
    machine.has("uv", WORKING_UV)
    machine.has("python3", OLD_PYTHON)
    status, output, errors = machine.run()
    assert (status, output) == (0, sys.executable)
    assert errors == [
        "there is no CPython >= 3.13 (with the GIL) on this machine",
        f"getting CPython 3.14 with this machine's uv into {machine.cache}/uv-python",
    ]
    assert machine.calls.read_text() == "uv --no-progress --no-cache python install 3.14\n"


def test_uv_comes_from_pypi_where_there_is_none(machine: Machine) -> None:
    machine.has("python3", OLD_PYTHON)
    machine.write(machine.uv, WORKING_UV)
    status, output, errors = machine.run()
    assert (status, output) == (0, sys.executable)
    assert errors[1:] == [
        f"getting uv from PyPI into {machine.cache}/uv, with the pip of {machine.bin}/python3",
        f"getting CPython 3.14 with uv from PyPI into {machine.cache}/uv-python",
    ]
    assert [line.split()[0] for line in machine.calls.read_text().splitlines()] == ["pip", "uv"]


@pytest.mark.parametrize("kind", ["refused", "broken"])
def test_uv_of_the_machine_that_gets_nothing_is_followed_by_one_from_pypi(machine: Machine, kind: str) -> None:
    machine.has("uv", REFUSED_UV if kind == "refused" else "exit 127")
    machine.has("python3", OLD_PYTHON)
    machine.write(machine.uv, WORKING_UV)
    status, output, errors = machine.run()
    assert (status, output) == (0, sys.executable)
    reason = "Failed to install: no such host" if kind == "refused" else "it does not say why"
    assert errors[2] == f"  this machine's uv: {reason}"


@pytest.mark.parametrize("python", [OLD_PYTHON, FAILING_PIP, None])
def test_debian_packages_follow_when_uv_cannot(machine: Machine, python: str | None) -> None:
    if python:
        machine.has("python3", python)
    machine.write(machine.uv, REFUSED_UV)
    machine.has_debian(WORKING_DEBIAN)
    status, output, errors = machine.run()
    assert (status, output) == (0, sys.executable)
    assert errors[-1] == f"unpacking CPython 3.14 from Debian's packages into {machine.cache}/python-3.14"


@pytest.mark.parametrize(
    ("python", "has_apt", "reasons"),
    [
        (
            OLD_PYTHON,
            True,
            ["  uv from PyPI: Failed to install: no such host", "  Debian's packages: no archive"],
        ),
        (FAILING_PIP, False, ["  uv from PyPI: no network", "  Debian's packages: there is no apt-get here"]),
        (
            None,
            False,
            [
                "  uv from PyPI: no Python >= 3.8 on PATH has pip, or ensurepip, to get it with",
                "  Debian's packages: there is no apt-get here",
            ],
        ),
    ],
)
def test_nothing_works_names_what_was_tried_why_not_and_the_remedy(
    machine: Machine, python: str | None, has_apt: bool, reasons: list[str]
) -> None:
    if python:
        machine.has("python3", python)
    machine.write(machine.uv, REFUSED_UV)
    if has_apt:
        machine.has_debian(REFUSED_DEBIAN)
    status, output, errors = machine.run()
    assert (status, output) == (1, "")
    assert [line for line in errors if line.startswith("  ")] == reasons
    assert errors[-1].startswith(
        "could not get CPython 3.14; tried: uv from PyPI, Debian's packages. Install Python 3.14"
    )
    assert "PYTHON=..." in errors[-1]


@pytest.mark.parametrize("uv", [WORKING_UV, REFUSED_UV])
def test_second_run_finds_the_work_done(machine: Machine, uv: str) -> None:
    machine.has("python3", OLD_PYTHON)
    machine.write(machine.uv, uv)
    machine.has_debian(WORKING_DEBIAN)
    assert machine.run()[:2] == (0, sys.executable)
    machine.calls.write_text("")
    assert machine.run() == (0, sys.executable, [])
    assert machine.run("find-python") == (0, sys.executable, [])
    assert machine.calls.read_text() == ""


def test_second_run_at_once_waits_and_takes_what_the_first_got(machine: Machine) -> None:
    import fcntl

    machine.has("python3", OLD_PYTHON)
    machine.cache.mkdir(parents=True)
    with open(machine.cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first run
        process = machine.start()
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting for another run that is getting a CPython\n"
        subprocess.run(
            ["/bin/sh", "-c", WORKING_DEBIAN, "sh", machine.cache / "python-3.14", "3.14"],
            env=machine.environment,
            check=True,
        )
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output.strip(), errors) == (0, sys.executable, "")
    assert machine.calls.read_text() == ""


def test_unpacking_that_was_killed_is_not_taken_for_a_python(machine: Machine) -> None:
    leftover = machine.cache / "python-3.14" / "usr" / "bin"
    leftover.mkdir(parents=True)
    (leftover / "python3.14").symlink_to(machine.environment["REAL_PYTHON"])
    assert machine.run("find-python") == (1, "", [])


def test_nothing_but_the_cache_is_written(machine: Machine) -> None:
    machine.has("python3", OLD_PYTHON)
    machine.write(machine.uv, WORKING_UV)
    (machine.cache / "work").mkdir(parents=True)  # left by a run that was killed
    assert machine.run()[0] == 0
    assert os.listdir(machine.home) == [".cache"]
    assert os.listdir(machine.home / ".cache") == ["interp-pool"]
    assert sorted(os.listdir(machine.cache)) == ["lock", "uv", "uv-python"]


@pytest.mark.parametrize("kind", ["no home", "a file in the way"])
def test_no_place_for_a_python_is_told_with_the_remedy(machine: Machine, kind: str) -> None:
    if kind == "no home":
        del machine.environment["HOME"]
    else:
        (machine.home / ".cache").write_text("")
    status, output, errors = machine.run()
    assert (status, output) == (1, "")
    assert errors[-1].startswith(
        "HOME is not set" if kind == "no home" else f"cannot write to {machine.cache}: name another place"
    )


def test_python_on_path_is_preferred_to_one_that_was_fetched(machine: Machine) -> None:
    machine.has_debian(WORKING_DEBIAN)
    assert machine.run()[0] == 0
    newer = 'case $2 in *_interpreters*) echo "1 04000000 /a newer/python" ;; *) exit 1 ;; esac'
    machine.has("python3.99", newer)
    assert machine.run("find-python") == (0, "/a newer/python", [])
    assert machine.run("find-python", machine.environment["REAL_PYTHON"]) == (0, sys.executable, [])
    assert machine.run("find-python", str(machine.bin / "cat")) == (1, "", [])


class TestSetup:
    @pytest.fixture
    def machine(self, machine: Machine) -> Machine:
        machine.has_checkout()
        return machine

    def test_first_run_installs_and_the_second_finds_the_work_done(self, machine: Machine) -> None:
        status, _, errors = machine.run("setup")
        assert (status, errors) == (0, [f"making .venv with {sys.executable}", "installing interp-pool into .venv"])
        assert machine.calls.read_text().split() == ["venv", "pip", "pip", "pip"]
        assert machine.run("setup") == (0, "", [])
        assert machine.calls.read_text().split() == ["venv", "pip", "pip", "pip"]

    def test_changed_sources_are_installed_into_the_same_environment(self, machine: Machine) -> None:
        machine.run("setup")
        os.utime(machine.checkout / "interp_api", (2**32, 2**32))
        assert machine.run("setup")[2] == ["installing interp-pool into .venv"]

    def test_environment_that_was_left_without_pip_is_made_anew(self, machine: Machine) -> None:
        leftover = machine.checkout / ".venv" / "bin"
        leftover.mkdir(parents=True)
        machine.write(leftover / "python", '[ "$2" != pip ] && exec "$REAL_PYTHON" "$@"')
        status, _, errors = machine.run("setup")
        assert (status, errors[0]) == (0, f"making .venv with {sys.executable}")

    def test_failed_installation_is_told_and_tried_again(self, machine: Machine) -> None:
        offline = machine.calls.with_name("calls.offline")
        offline.touch()
        status, _, errors = machine.run("setup")
        assert status == 1
        assert errors[-1].startswith("could not install interp-pool and what its tests need into .venv")
        offline.unlink()
        assert machine.run("setup")[::2] == (0, ["installing interp-pool into .venv"])

    def test_second_run_at_once_waits_and_finds_the_work_done(self, machine: Machine) -> None:
        import fcntl

        with open(machine.checkout / ".venv.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the first run
            process = machine.start("setup")
            assert process.stderr is not None
            assert process.stderr.readline() == "waiting for another run that is setting up .venv\n"
            subprocess.run(
                ["/bin/sh", "-c", VENV + 'touch "$2/.installed"', "sh", sys.executable, machine.checkout / ".venv"],
                env=machine.environment,
                check=True,
            )
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0
        assert machine.calls.read_text().split() == ["venv"]

    def test_no_python_leaves_no_environment(self, machine: Machine) -> None:
        (machine.bin / "python3").unlink()
        status, _, errors = machine.run("setup")
        assert status == 1
        assert errors[-1].startswith("could not get CPython")
        assert not (machine.checkout / ".venv").exists()

    def test_named_python_that_will_not_do_is_told(self, machine: Machine) -> None:
        machine.environment["PYTHON"] = str(machine.bin / "cat")
        assert machine.run("setup") == (
            1,
            "",
            [f"PYTHON={machine.bin / 'cat'} is not a working CPython >= 3.13 (with the GIL)"],
        )
