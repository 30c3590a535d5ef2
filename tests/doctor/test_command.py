"""The command: its exit statuses, and that a target can neither run in it nor end it."""

from __future__ import annotations

import json
import sys

import pytest
import refusing
import scripts

from interp_pool.doctor import cli

pytestmark = pytest.mark.programs


def doctor(folder, *arguments):
    """Run it where the modules are."""
    return scripts.run("-m", "interp_pool", "doctor", *arguments, cwd=folder, options=("-X", "dev", "-W", "error"))


def document(folder, *arguments):
    status, output, errors = doctor(folder, "--json", *arguments)
    assert errors == ""
    return status, json.loads(output)


def test_package_that_goes_on_without_its_extension_module(tmp_path):
    native = refusing.write_package(tmp_path, "accelerated")
    (tmp_path / "user.py").write_text("def work():\n    import accelerated\n    return sum(range(1000))\n")
    status, told = document(tmp_path, "user:work")
    [subject] = told["subjects"]
    [module] = subject["modules"]
    assert (status, told["works"]) == (1, False)
    assert (module["name"], module["verdict"], module["user"]) == (native, "silently replaced", "accelerated")
    assert module["functions"] == ["user:work"]
    assert subject["write"] == 'InterpreterPoolExecutor(fallback="process", route=["user:work"])'
    assert subject["measured"]["worker"] > 0
    status, told = document(tmp_path, "accelerated")
    assert (status, told["subjects"][0]["routing"]) == (1, "route")


def test_package_that_needs_its_extension_module(tmp_path):
    native = refusing.write_package(tmp_path, "needing", refusing.WITHOUT)
    (tmp_path / "user.py").write_text("import needing\nprint('noise')\ndef work(): pass\n")
    status, output, errors = doctor(tmp_path, "user")
    assert (status, errors) == (1, "")
    assert f"  {native}\n    refused: it does not support subinterpreters\n" in output
    assert f"    needed by: user -> needing -> {native}\n" in output
    assert '  write:   InterpreterPoolExecutor(fallback="process")\n' in output
    assert "noise" not in output


def test_script_is_loaded_as_workers_load_it(tmp_path):
    native = refusing.write_package(tmp_path, "needing", refusing.WITHOUT)
    text = (
        "import os, sys\nsys.path.append('extra')\nimport beside\ndef work():\n    import needing\n    os.chdir('/')\n"
    )
    text += "if __name__ == '__main__':\n    open('ran', 'w')\n"
    text += "    from concurrent.futures import ProcessPoolExecutor\n    ProcessPoolExecutor().submit(work)\n"
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "beside.py").write_text("")
    (tmp_path / "run.py").write_text(text)
    status, told = document(tmp_path, "run.py")
    [subject] = told["subjects"]
    assert (status, subject["errors"]) == (1, [])
    assert [module["name"] for module in subject["modules"]] == [native]
    assert subject["write"] == 'InterpreterPoolExecutor(fallback="process", route=["__main__:work"])'
    assert [(idiom["file"], idiom["line"], idiom["kind"]) for idiom in told["idioms"]] == [("run.py", 6, "os.chdir")]
    assert not (tmp_path / "ran").exists()


def test_script_without_a_guard_is_not_run(tmp_path):
    refusing.write_package(tmp_path, "needing", refusing.WITHOUT)
    (tmp_path / "run.py").write_text("import needing\nopen('ran', 'w')\n")
    status, told = document(tmp_path, "run.py")
    assert (status, told["subjects"][0]["routing"]) == (1, "fallback")
    assert not (tmp_path / "ran").exists()


def test_target_that_works(tmp_path):
    (tmp_path / "fine.py").write_text("import json\ndef work(): return 1\n")
    status, output, errors = doctor(tmp_path, "fine:work")
    assert (status, errors) == (0, "")
    assert "  write:   InterpreterPoolExecutor()\n" in output


IN_A_WORKER = "import _interpreters\nif _interpreters.get_current()[0] != 0:\n    "


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import os; os.abort()", "it ended by SIGABRT, in a worker"),
        ("import os; os._exit(0)", "it ended early, in a worker"),
        ("import threading; threading.Event().wait()", "it had not ended after 3 s, in a worker"),
    ],
)
def test_crash_or_hang_in_a_worker_is_an_answer(tmp_path, body, reason):
    if sys.platform == "win32" and "SIGABRT" in reason:
        pytest.skip("there it is a status")
    (tmp_path / "bad.py").write_text(IN_A_WORKER + body)
    status, told = document(tmp_path, "bad", "--timeout", "3")
    assert (status, told["subjects"][0]["errors"]) == (1, [f"the process that tried it: {reason}"])
    assert told["subjects"][0]["routing"] == "route"


def test_module_that_loads_in_one_interpreter_breaks_on_the_second(tmp_path):
    refuse = "raise ImportError('cannot load module more than once per process', name='once')"
    text = f"if os.path.exists('taken'):\n    {refuse}\nopen('taken', 'w').close()"
    (tmp_path / "once.py").write_text("import os\n" + IN_A_WORKER + text.replace("\n", "\n    "))
    status, told = document(tmp_path, "once")
    assert (status, told["subjects"][0]["modules"][0]["verdict"]) == (1, "breaks on the second interpreter")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nosuch"], "there is no module 'nosuch'"),
        (["fine:nosuch"], "there is no function 'nosuch' in module 'fine'"),
        (["-r", "nosuch.txt"], "cannot read 'nosuch.txt'"),
        (["fine", "-r", "req.txt"], "cannot be given both"),
        (["fine", "--timeout", "0"], "must be a whole number >= 1"),
    ],
)
def test_bad_usage_and_missing_targets_end_with_status_two(tmp_path, arguments, text):
    (tmp_path / "fine.py").write_text("")
    status, output, errors = doctor(tmp_path, *arguments)
    assert (status, output) == (2, "")
    assert errors.startswith("python -m interp_pool doctor: ")
    assert text in errors
    assert "Traceback" not in errors


def test_module_that_fails_anywhere_says_why(tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    status, told = document(tmp_path, "broken")
    assert (status, told["subjects"][0]["routing"]) == (1, "nowhere")
    assert told["subjects"][0]["errors"] == ["broken: ZeroDivisionError: division by zero"]


def test_requirements_are_examined(tmp_path):
    (tmp_path / "req.txt").write_text("iniconfig\npluggy\n")
    status, output, errors = doctor(tmp_path, "-r", "req.txt")
    assert status == 0
    assert output.startswith("All of these work in interpreters: iniconfig, pluggy.\n")
    assert "distributions" in errors


def test_nothing_of_the_target_is_imported_in_this_process(tmp_path, monkeypatch, capsys):
    (tmp_path / "targeted.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli.main(["targeted"]) == 0
    assert "targeted" not in sys.modules
    assert capsys.readouterr().out.startswith("targeted\n")


def test_package_is_tried_with_all_its_modules_and_with_what_others_import_when_they_are_called(tmp_path):
    native = refusing.write_package(tmp_path, "lib", init="").rpartition(".")[2]
    (tmp_path / "lib" / "api.py").write_text(f"def parse():\n    from lib import {native}\n")
    home = tmp_path / "pack"
    home.mkdir()
    (home / "__init__.py").write_text("")
    (home / "work.py").write_text("import lib.api\ndef task(): lib.api.parse()\n")
    (home / "program.py").write_text("import os; os._exit(3)\n")
    (home / "__main__.py").write_text("import os; os._exit(3)\n")
    status, told = document(tmp_path, "pack")
    assert (status, told["subjects"][0]["works"]) == (0, True)  # without what is a program and runs when it is imported
    (home / "program.py").unlink()
    status, told = document(tmp_path, "pack")
    [module] = told["subjects"][0]["modules"]
    assert (status, module["name"], module["is_late"]) == (1, f"lib.{native}", True)
    assert module["chain"][0] == "lib.api:parse"
    assert told["subjects"][0]["write"] == 'InterpreterPoolExecutor(fallback="process", route=["pack.*"])'


CLASS = """
import sys
from concurrent.futures import ProcessPoolExecutor

class Runner:
    def load(self):
        import needing
    def work(self, n):
        return self.load()
    def run(self):
        with ProcessPoolExecutor(2) as executor:
            return list(executor.map(self.work, range(3)))
    def idle(self):
        import needing

if __name__ == "__main__":
    Runner().run()
"""


def test_bound_method_is_followed_to_the_import_it_does(tmp_path):
    refusing.write_package(tmp_path, "needing", refusing.WITHOUT)
    (tmp_path / "run.py").write_text(CLASS)
    status, told = document(tmp_path, "run.py")
    written = told["subjects"][0]["write"]
    assert (status, '"__main__:Runner.work"' in written) == (1, True)
    assert "Runner.load" not in written


def test_function_of_another_file_is_followed_from_the_one_that_is_handed_over(tmp_path):
    native = refusing.write_package(tmp_path, "needing", refusing.WITHOUT)
    (tmp_path / "deep.py").write_text("class Reader:\n    def __init__(self):\n        import needing\n")
    (tmp_path / "helpers.py").write_text(
        "import deep\ndef load(): return deep.Reader()\ndef unused():\n    import no_such_module\n"
    )
    text = "from concurrent.futures import ProcessPoolExecutor\nfrom helpers import load\ndef work(n): return load()\n"
    text += "if __name__ == '__main__':\n    ProcessPoolExecutor().submit(work, 1)\n"
    (tmp_path / "run.py").write_text(text)
    (tmp_path / "module.py").write_text(text)
    for target, name in (("run.py", "__main__:work"), ("module:work", "module:work")):
        status, told = document(tmp_path, target)
        [subject] = told["subjects"]
        assert [module["name"] for module in subject["modules"]] == [native]
        assert (status, subject["errors"]) == (1, [])
        assert subject["write"] == f'InterpreterPoolExecutor(fallback="process", route=["{name}"])'
