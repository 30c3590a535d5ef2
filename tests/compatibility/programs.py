"""The table of programs: what each is called, what it works on, and whether it stays in interpreters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import inputs
from .inputs import driver, sources

if TYPE_CHECKING:
    from .inputs import Maker

CODE = ("json", "email", "http", "logging")  # 50 files, 15,000 lines
LITTLE = ("json", "wsgiref")


@dataclass(frozen=True)
class Program:
    """One program, and how it is called."""

    package: str
    """What is installed; empty for the standard library."""
    words: tuple[str, ...]
    """What `run` is given."""
    make: Maker
    """Makes what it works on, in an empty folder that is the working directory."""
    needs: str = ""
    """The module that refuses, and sends tasks to processes; empty if all stay in interpreters."""
    routed: tuple[str, ...] = ()
    """The functions that import it when they run, so that it cannot be known before."""

    status: int = 0
    """How it ends, as it is: those that find faults do so with another one."""
    loses_lines: bool = False
    """Whether, as it is, it ends its processes before they have written all that tasks print."""

    @property
    def route(self) -> list[str]:
        """The options of `run` for what is routed."""
        return [word for name in self.routed for word in ("--route", name)]

    @property
    def name(self) -> str:
        """What it is called in the page and in tests."""
        return " ".join(self.words)


def _call(package: str, words: str, make: Maker, needs: str = "", status: int = 0) -> Program:
    return Program(package, tuple(words.split()), make, needs, status=status)


def _driver(package: str, words: str, needs: str = "", before: Maker | None = None) -> Program:
    name = words.partition(".")[0]
    return _call(package, words, driver(name, *([] if before is None else [before])), needs)


PROGRAMS = (
    # named in the goal
    _driver("tqdm", "tqdm_map.py"),
    _driver("apscheduler", "apscheduler_jobs.py"),
    _call("flake8", "flake8 -j 2 src", sources(*CODE), status=1),
    _driver("cython", "cythonize_all.py", "Cython.Utils", before=sources(*LITTLE)),
    _driver("django", "django_tests.py"),
    _call("unittest-parallel", "unittest-parallel -j 2 -t . -s suite", inputs.unit_tests),
    _call("black", "black -W 2 src", inputs.untidy_sources, "black"),
    Program("isort", ("isort", "-j", "2", "src"), inputs.untidy_sources, "isort", loses_lines=True),
    _call("sqlfluff", "sqlfluff lint -p 2 --dialect ansi sql", inputs.queries, "chardet.pipeline.orchestrator", 1),
    _call("detect-secrets", "detect-secrets -c 2 scan --all-files config", inputs.secrets),
    _call("djlint", "djlint templates --reformat --quiet", inputs.templates, "djlint._cli", 1),
    Program(
        "pdfminer.six",
        ("pdfs.py", "pdfminer"),
        driver("pdfs"),
        "charset_normalizer.cd",
        ("__main__:read_with_pdfminer",),
    ),
    # command lines
    _call("", "-m compileall -q -b -j 2 src", sources("asyncio", "email", "json", "xml")),
    Program(
        "pylint",
        ("pylint", "-j", "2", "src"),
        sources("json"),
        "isort",
        ("pylint.lint.parallel:_worker_check_single_file",),
        30,
    ),
    _call("yapf", "yapf -p -i -r src", sources("json", "wsgiref")),
    _call("autopep8", "autopep8 -j 2 -i -r src", inputs.untidy_sources),
    _call("autoflake", "autoflake -j 2 -i -r --remove-all-unused-imports src", inputs.untidy_sources),
    _call("vermin", "vermin -p 2 src", sources(*CODE)),
    _call("lizard", "lizard -t 2 src", sources(*CODE), status=1),
    Program("usort", ("usort", "format", "src"), inputs.untidy_sources, "libcst.native", ("usort.api:usort_file",)),
    Program("fixit", ("fixit", "lint", "src"), sources("json"), "libcst.native", ("fixit.api:_fixit_file_wrapper",), 1),
    Program(
        "libcst",
        (
            *("-m", "libcst.tool", "codemod", "-x"),
            "libcst.codemod.commands.remove_unused_imports.RemoveUnusedImportsCommand",
            *("src", "--jobs", "2", "--hide-progress", "--no-format"),
        ),
        inputs.untidy_sources,
        "libcst.native",
        ("libcst.codemod._cli:_execute_transform",),
    ),
    _call("shandy-sqlfmt", "sqlfmt sql", inputs.queries),
    _call("reuse", "reuse lint", inputs.licensed, status=1),
    _call("green", "green -s 2 suite", inputs.unit_tests),
    _call("trafilatura", "trafilatura --input-dir pages --output-dir text --parallel 2", inputs.pages, "lxml.etree"),
    # libraries
    _driver("", "hash_async.py"),
    _driver("", "statistics_pool.py"),
    _driver("dask", "dask_bag.py"),
    _driver("pqdm", "pqdm_jobs.py"),
    _driver("inspyred", "inspyred_sphere.py"),
    _driver("platypus-opt", "platypus_front.py"),
    _driver("neat-python", "neat_xor.py"),
    _driver("jieba", "jieba_cut.py"),
    _driver("networkx", "networkx_between.py"),
    _driver("sympy", "sympy_factor.py"),
    _driver("mpmath", "mpmath_zeta.py"),
    _driver("lark", "lark_json.py"),
    _driver("pyparsing", "pyparsing_sums.py"),
    _driver("chess", "chess_perft.py"),
    _driver("pygments", "pygments_html.py", before=sources("json", "email", "http")),
    _driver("docutils", "docutils_html.py"),
    _driver("markdown", "markdown_jinja.py"),
    _driver("deap", "deap_onemax.py", "numpy"),
    _driver("python-constraint2", "constraint_queens.py", "constraint.problem"),
    _driver("rope", "rope_imports.py", before=sources("json", "email")),
    _driver("pypdf", "pdfs.py pypdf"),
    # modules that refuse, in libraries
    _driver("numpy", "numpy_blocks.py", "numpy"),
    _driver("pygad", "pygad_sum.py", "numpy"),
    _driver("lxml", "lxml_pages.py", "lxml.etree"),
    _driver("regex", "regex_words.py", "regex._regex"),
    _driver("cryptography", "cryptography_hash.py", "cryptography"),
)
