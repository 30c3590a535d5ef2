"""What follows from what a child has told, and how it is said."""

from __future__ import annotations

import json

import pytest

from interp_pool._wire import known_packages
from interp_pool.doctor import child, report
from interp_pool.doctor.child import Probe
from interp_pool.doctor.idioms import Idiom
from interp_pool.doctor.imports import BodyImport
from interp_pool.doctor.subjects import Subject
from interp_pool.doctor.verdict import diagnose

MODULE = Subject("pack", "module", ("pack",))
FUNCTION = Subject("pack:work", "function", ("pack",), "work")
SCRIPT = Subject("run.py", "script", script="/run.py")
DISTRIBUTION = Subject("Pack", "distribution", ("pack",), version="1.0")
STAYS = "InterpreterPoolExecutor()"
FALLBACK = 'InterpreterPoolExecutor(fallback="process")'


def routed(*names):
    return f'InterpreterPoolExecutor(fallback="process", route=[{", ".join(f'"{name}"' for name in names)}])'


def findings(**given):
    nothing = {name: {} for name in ("roots", "inner", "extensions", "bodies", "noted_in_bodies", "files")}
    return nothing | {"noted": [], "loaded": []} | given


def refusal(module="pack._fast", chain=("pack", "pack._fast")):
    return {"type": "ImportError", "text": "no", "module": module, "chain": [*chain], "is_refusal": True}


def error(text="division by zero", kind="ZeroDivisionError"):
    return {"type": kind, "text": text, "module": "", "chain": [], "is_refusal": False}


def noted(module="pack._fast", user="pack"):
    return {"module": module, "chain": ["pack", module], "user": user}


def judge(subject=MODULE, first=None, main=None, second=None, *, bodies=(), tasks=(), alone=None, late=0, **measured):
    first = findings() if first is None else first
    answer = {"first": first, "main": main or findings(), "second": second or first, "done": True}
    return diagnose(subject, Probe(answer | measured), bodies, tasks, alone, late)


def body(function="pack:work", module="other", *, is_guarded=False):
    return BodyImport(module, (), function, 7, is_guarded)


def verdicts(diagnosis):
    return [(module.name, module.verdict) for module in diagnosis.modules]


@pytest.mark.parametrize("subject", [MODULE, FUNCTION, SCRIPT, DISTRIBUTION])
def test_subject_whose_modules_load_stays_in_interpreters(subject):
    diagnosis = judge(subject, findings(loaded=["pack._fast"]))
    assert (diagnosis.works, diagnosis.routing, diagnosis.write) == (True, "interpreters", STAYS)
    assert verdicts(diagnosis) == [("pack._fast", "loads")]


def test_module_that_refuses_at_import_falls_back_by_itself():
    diagnosis = judge(first=findings(roots={"pack": refusal()}))
    assert (diagnosis.works, diagnosis.routing, diagnosis.write) == (False, "fallback", FALLBACK)
    assert verdicts(diagnosis) == [("pack._fast", "refused")]
    assert diagnosis.modules[0].chain == ("pack", "pack._fast")


def test_extension_module_that_the_package_does_not_import_falls_back_where_it_is_imported():
    diagnosis = judge(first=findings(extensions={"pack._fast": refusal(chain=["pack._fast"])}))
    assert (diagnosis.works, diagnosis.write) == (False, FALLBACK)


@pytest.mark.parametrize(
    ("subject", "tasks", "routes"),
    [
        (MODULE, (), ["pack.*"]),
        (MODULE, ["pack:a", "pack:b"], ["pack:a", "pack:b"]),
        (FUNCTION, (), ["pack:work"]),
        (SCRIPT, (), ["__main__.*"]),
        (SCRIPT, ["__main__:a"], ["__main__:a"]),
    ],
)
def test_what_is_replaced_must_be_named_by_the_functions_that_are_known(subject, tasks, routes):
    diagnosis = judge(subject, findings(noted=[noted()]), tasks=tasks)
    assert verdicts(diagnosis) == [("pack._fast", "silently replaced")]
    assert (diagnosis.works, diagnosis.routing, diagnosis.write) == (False, "route", routed(*routes))
    assert diagnosis.modules[0].user == "pack"


def test_line_for_a_distribution_says_that_the_functions_are_the_users_own():
    diagnosis = judge(DISTRIBUTION, findings(noted=[noted()]))
    assert diagnosis.write == f"{routed('module:function')}  # your functions that use Pack"


def test_what_is_replaced_in_a_module_that_falls_back_anyway_needs_no_route():
    diagnosis = judge(first=findings(roots={"pack": refusal()}, noted=[noted("yaml._yaml", "yaml")]))
    assert diagnosis.write == FALLBACK


def test_refusal_that_nobody_went_on_without_is_not_told_twice():
    diagnosis = judge(first=findings(roots={"pack": refusal()}, noted=[noted(user="")]))
    assert verdicts(diagnosis) == [("pack._fast", "refused")]


def test_import_in_the_body_of_a_function_must_be_named():
    first = findings(bodies={"1": refusal("numpy.core", ["numpy", "numpy.core"])})
    diagnosis = judge(first=first, bodies=[body("pack:fine"), body("pack:work"), body("pack:loads")])
    assert (diagnosis.routing, diagnosis.write) == ("route", routed("pack:work"))
    assert diagnosis.modules[0].functions == ("pack:work",)
    assert diagnosis.modules[0].chain == ("pack:work", "numpy", "numpy.core")


def test_import_in_a_body_that_fails_in_the_main_interpreter_too_is_none_of_ours():
    first = findings(bodies={"0": refusal()})
    assert judge(first=first, main=findings(bodies={"0": error()}), bodies=[body()]).works
    assert judge(first=findings(bodies={"0": error()}), bodies=[body()]).works


def test_guarded_import_in_a_body_is_replaced_unless_it_is_the_standard_librarys():
    first = findings(bodies={"0": refusal()})
    diagnosis = judge(first=first, bodies=[body(is_guarded=True)])
    assert verdicts(diagnosis) == [("pack._fast", "silently replaced")]
    assert diagnosis.write == routed("pack:work")
    assert judge(first=first, bodies=[body(module="readline", is_guarded=True)]).works


def test_what_an_import_in_a_body_goes_on_without_must_be_named_by_all_that_import_it():
    first = findings(noted_in_bodies={"0": [noted("msgpack._c", "msgpack")]})
    bodies = [body("pack:a", "msgpack"), body("pack:b", "msgpack"), body("pack:c", "json")]
    diagnosis = judge(first=first, bodies=bodies, tasks=["pack:main"])
    assert diagnosis.write == routed("pack:a", "pack:b")


@pytest.mark.parametrize(("subject", "tasks", "routes"), [(MODULE, (), ["pack.*"]), (MODULE, ["pack:a"], ["pack:a"])])
def test_import_that_a_function_of_another_package_does_must_be_named_by_who_may_call_it(subject, tasks, routes):
    first = findings(bodies={"1": refusal("libcst.native", ["libcst.native"])})
    bodies = [body("pack:own", "json"), body("libcst.parser:parse", "libcst.native")]
    diagnosis = judge(subject, first, bodies=bodies, tasks=tasks, late=1)
    assert diagnosis.write == routed(*routes)
    assert diagnosis.modules[0].chain == ("libcst.parser:parse", "libcst.native")
    assert "imported when functions of that package are called" in report.as_text([diagnosis], [], "x")


def test_module_within_a_package_counts_as_the_package_does_unless_it_fails_anywhere():
    assert judge(first=findings(inner={"pack.api": refusal()})).write == FALLBACK
    failing = findings(inner={"pack.api": error()})
    assert judge(first=failing).errors == (
        "pack.api cannot be imported in a worker: ZeroDivisionError: division by zero",
    )
    assert judge(first=failing, main=failing).works


def test_many_functions_are_named_by_their_package():
    bodies = [body(f"pack.sub{number}:f") for number in range(9)]
    first = findings(bodies={str(number): refusal() for number in range(9)})
    assert judge(first=first, bodies=bodies).write == routed("pack.*")


@pytest.mark.parametrize("second", [findings(roots={"pack": refusal()}), findings(noted=[noted()])])
def test_module_that_loads_once_breaks_on_the_second_interpreter(second):
    diagnosis = judge(first=findings(loaded=["pack._fast"]), second=second)
    assert verdicts(diagnosis) == [("pack._fast", "breaks on the second interpreter")]
    assert diagnosis.write == routed("pack.*")


def test_import_that_fails_for_another_reason_in_a_worker_is_told():
    diagnosis = judge(first=findings(roots={"pack": error("name 'x'", "NameError")}))
    assert diagnosis.errors == ("pack cannot be imported in a worker: NameError: name 'x'",)
    assert (diagnosis.works, diagnosis.write) == (False, routed("pack.*"))


def test_import_that_fails_in_the_main_interpreter_alone_too_says_nothing_about_workers():
    alone = Probe({"main": findings(roots={"pack": error()}), "done": True})
    failing = findings(roots={"pack": error()})
    diagnosis = judge(first=failing, main=failing, alone=alone)
    assert (diagnosis.works, diagnosis.routing, diagnosis.write) == (False, "nowhere", "")
    assert diagnosis.errors == ("pack: ZeroDivisionError: division by zero",)


def test_import_that_fails_in_the_main_interpreter_once_a_worker_has_it_is_told():
    alone = Probe({"main": findings(), "done": True})
    diagnosis = judge(main=findings(roots={"pack": refusal()}), alone=alone)
    assert "in the main interpreter once a worker has it" in diagnosis.errors[0]
    assert not diagnosis.works


def test_crash_in_a_worker_is_told_of_the_module_that_was_being_loaded():
    log = (
        "at first\nbegin first pack._good\nend first pack._good\nbegin first pack._outer\n"
        "begin first pack._bad\nend first pack._bad\n"
    )
    probe = child.read(log, "it ended by SIGSEGV", "")
    assert (probe.where, probe.culprit, probe.ended) == ("first", "pack._outer", ("pack._good", "pack._bad"))
    diagnosis = diagnose(MODULE, probe, [], [], Probe({"main": findings(), "done": True}))
    assert verdicts(diagnosis) == [("pack._outer", "crashes"), ("pack._bad", "loads"), ("pack._good", "loads")]
    assert diagnosis.errors == ("the process that tried it: it ended by SIGSEGV, in a worker",)
    assert diagnosis.write == routed("pack.*")


def test_crash_in_the_main_interpreter_alone_too_says_nothing_about_workers():
    probe = Probe({}, "it ended by SIGSEGV", "first")
    alone = Probe({}, "it ended by SIGSEGV", "main")
    assert diagnose(MODULE, probe, [], [], alone).routing == "nowhere"
    called = Probe({"first": findings()}, "it ended by SIGSEGV", "call in main")
    assert diagnose(FUNCTION, called, [], [], Probe({"main": findings(), "done": True})).routing == "nowhere"


def test_crash_after_all_was_told_keeps_what_was_told():
    first = findings(loaded=["pack._fast"])
    probe = Probe({"first": first, "main": first, "second": first}, "it ended by SIGABRT", "closing")
    diagnosis = diagnose(MODULE, probe, [], [], Probe({"main": findings(), "done": True}))
    assert diagnosis.errors == ("the process that tried it: it ended by SIGABRT, while its interpreters were closed",)
    assert verdicts(diagnosis) == [("pack._fast", "loads")]
    assert not diagnosis.works


@pytest.mark.parametrize(
    ("log", "reason", "errors", "expected"),
    [
        ("", "it ended with status 1", "Traceback\nImportError: x\n", "ImportError: x"),
        ("at first\n", "", "", "it ended early"),
        ("at first\n", "it had not ended after 5 s", "noise\n", "it had not ended after 5 s"),
        ("at first\ndone true\n", "", "", ""),
    ],
)
def test_child_that_ends_early_has_a_reason(log, reason, errors, expected):
    assert child.read(log, reason, errors).reason == expected


def test_function_that_was_called_has_its_own_slow_down():
    measured = {
        "measured_inside": {"seconds": 0.5, "noted": [noted()]},
        "measured_in_main": {"seconds": 0.02, "noted": []},
    }
    diagnosis = judge(FUNCTION, **measured)
    assert (diagnosis.factor, diagnosis.seconds) == (25, (0.5, 0.02))
    assert diagnosis.modules[0].cost == "pack:work takes 25 times as long"
    assert diagnosis.write == routed("pack:work")


def test_cost_is_that_of_the_table_where_none_was_measured(monkeypatch):
    monkeypatch.setitem(known_packages.COSTS, "pack", known_packages.Cost("pack 1", "packing", 3))
    monkeypatch.setitem(known_packages.PURE_WHEELS, "pack", "pack-1-py3-none-any.whl")
    replaced = judge(first=findings(noted=[noted()])).modules[0]
    assert (replaced.cost, replaced.pure_wheel) == ("packing takes 3 times as long (pack 1)", "")
    refused = judge(first=findings(roots={"pack": refusal()})).modules[0]
    assert (refused.cost, refused.pure_wheel) == ("", "pack-1-py3-none-any.whl")


def test_function_that_meets_a_refusal_when_it_is_called_must_be_named():
    diagnosis = judge(FUNCTION, measured_inside={"error": refusal()}, measured_in_main={"seconds": 1.0})
    assert (verdicts(diagnosis), diagnosis.write) == ([("pack._fast", "refused")], routed("pack:work"))


def test_function_that_fails_otherwise_in_a_worker_is_told_and_one_that_fails_anywhere_is_not_measured():
    diagnosis = judge(FUNCTION, measured_inside={"error": error()}, measured_in_main={"seconds": 1.0})
    assert diagnosis.errors == ("pack:work fails in a worker: ZeroDivisionError: division by zero",)
    diagnosis = judge(FUNCTION, measured_inside={"error": error()}, measured_in_main={"error": error()})
    assert diagnosis.works
    assert diagnosis.not_measured == "it fails in the main interpreter: ZeroDivisionError: division by zero"


IDIOM = Idiom("file.py", 3, "os.chdir", "os.chdir('/')", "use absolute paths")


def test_exit_status_is_one_if_anything_does_not_work():
    good, bad = judge(), judge(first=findings(roots={"pack": refusal()}))
    nowhere = judge(alone=Probe({"main": findings(roots={"pack": error()}), "done": True}))
    assert report.status_of([good], []) == 0
    assert report.status_of([good, bad], []) == 1
    assert report.status_of([good], [IDIOM]) == 1
    assert report.status_of([good], [Idiom("file.py", 3, "Manager", "Manager()", "queues", breaks=False)]) == 0
    assert report.status_of([nowhere], []) == 1
    assert report.status_of([good, nowhere], [], is_survey=True) == 0


def test_text_tells_what_who_and_what_to_write():
    diagnosis = judge(first=findings(roots={"pack": refusal()}, loaded=["pack._good"]))
    assert report.as_text([diagnosis], [IDIOM], "CPython 3.14.0") == (
        "pack\n"
        "  pack._fast\n"
        "    refused: it does not support subinterpreters\n"
        "    needed by: pack -> pack._fast\n"
        "  loads: pack._good\n"
        "  routing: what imports that at the top of a module cannot be loaded in a worker: "
        'fallback="process" sends it to processes\n'
        f"  write:   {FALLBACK}\n"
        "\n"
        "file.py:3: os.chdir: os.chdir('/')\n"
        "    instead: use absolute paths\n"
        "\n"
        "1 of 1 does not work in interpreters, and 1 idiom of processes (CPython 3.14.0)."
    )


def test_text_of_what_works_and_of_what_works_nowhere():
    text = report.as_text([judge()], [], "CPython 3.14.0")
    assert f"write:   {STAYS}" in text
    assert text.endswith("\n\nNothing was found that does not work in interpreters (CPython 3.14.0).")
    nowhere = judge(alone=Probe({"main": findings(roots={"pack": error()}), "done": True}))
    assert report.as_text([nowhere], [], "x").endswith("Nothing is known (x).")
    text = report.as_text([judge(DISTRIBUTION), nowhere], [], "x", is_survey=True)
    assert "All of these work in interpreters: Pack." in text
    assert "nothing is known about them: pack." in text


def test_document_is_json_and_has_what_the_text_has():
    diagnosis = judge(FUNCTION, measured_inside={"seconds": 0.5, "noted": [noted()]}, measured_in_main={"seconds": 0.1})
    document = json.loads(json.dumps(report.as_document("CPython 3.14.0", "pack:work", [diagnosis], [IDIOM], 1)))
    assert document.keys() == {"python", "target", "works", "subjects", "idioms"}
    [subject] = document["subjects"]
    assert subject["modules"] == [
        {
            "name": "pack._fast",
            "verdict": "silently replaced",
            "chain": ["pack", "pack._fast"],
            "user": "pack",
            "cost": "pack:work takes 5 times as long",
            "pure_wheel": "",
            "functions": [],
            "is_late": False,
        }
    ]
    assert subject["measured"] == {"worker": 0.5, "main": 0.1, "factor": 5}
    assert (subject["routing"], subject["write"]) == ("route", routed("pack:work"))
    assert document["idioms"][0]["line"] == 3
    assert document["works"] is False
