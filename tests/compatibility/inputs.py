"""What the programs work on: files of the standard library, and small projects. Made anew for each program."""

from __future__ import annotations

import random
import shutil
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    type Maker = Callable[[Path], None]

DRIVERS = Path(__file__).parent / "drivers"
STDLIB = Path(sysconfig.get_path("stdlib"))


def sources(*names: str, to: str = "src") -> Maker:
    """Return who copies packages and modules of the standard library."""

    def make(folder: Path) -> None:
        place = folder / to
        place.mkdir()
        for name in names:
            source = STDLIB / name
            if source.is_dir():
                shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
            else:
                shutil.copy2(source.with_suffix(".py"), place)

    return make


def driver(name: str, *others: Maker) -> Maker:
    """Return who copies a driver, with the files that are called like it, and does something else before."""

    def make(folder: Path) -> None:
        for other in others:
            other(folder)
        for path in DRIVERS.glob(f"{name.partition('_')[0]}*"):
            shutil.copy2(path, folder)

    return make


def untidy_sources(folder: Path) -> None:
    """Make modules that formatters have something to do with."""
    place = folder / "src"
    place.mkdir()
    for number in range(12):
        functions = "".join(
            f"def f{n}( a,b = {n} ) :\n"
            f"  import json, sys,  os\n"
            f"  x = {{  'a':a ,'b' :b, 'c':[ 1,2,\n   3 ] }}\n"
            f"  if not a in x : return   json.dumps( x ) ;\n"
            f"  return   '{'long ' * 20}' % ( a,b ) if a else  lambda y : y+{n}\n\n"
            for n in range(15)
        )
        (place / f"module_{number}.py").write_text(f"import sys, os\nimport json\nfrom re import *\n{functions}")


def templates(folder: Path) -> None:
    """Make Django templates."""
    place = folder / "templates"
    place.mkdir()
    for number in range(16):
        rows = "".join(
            f"<div class='row'  id=\"r{row}\" ><a href='/{row}' >{{{{ item.{row}|upper }}}}</a>"
            f"{{% if user %}}<b>{row}</b>{{% else %}}<i>{row}</i>{{% endif %}}</div>\n"
            for row in range(100)
        )
        (place / f"page_{number}.html").write_text(
            f"{{% extends 'base.html' %}}{{% block body %}}\n{rows}{{% endblock %}}"
        )


def queries(folder: Path) -> None:
    """Make SQL files."""
    place = folder / "sql"
    place.mkdir()
    for number in range(12):
        columns = ",\n".join(f"  SUM(t.c{n}) as  total_{n}, t.d{n}" for n in range(12))
        (place / f"query_{number}.sql").write_text(
            f"select {columns}\nFROM  schema.table_{number} t left join other o on o.id=t.id\n"
            f"where t.x = {number} AND o.y in (1,2,3)\ngroup by t.d1 order by 1;\n"
        )


def secrets(folder: Path) -> None:
    """Make files some of which have keys."""
    place = folder / "config"
    place.mkdir()
    for number in range(80):
        key = "AKIA" + f"{number:02}" * 8
        text = "".join(f"option_{n} = value {n}\n" for n in range(100))
        (place / f"settings_{number}.ini").write_text(f"{text}aws_key = '{key}'\npassword = 'hunter{number}!x'\n")


def unit_tests(folder: Path) -> None:
    """Make a package of tests."""
    place = folder / "suite"
    place.mkdir()
    (place / "__init__.py").touch()
    for number in range(8):
        methods = "".join(
            f"    def test_{n}(self):\n        self.assertEqual(sum(range({n}00000)) % 2, sum(range({n}00000)) & 1)\n\n"
            for n in range(8)
        )
        (place / f"test_{number}.py").write_text(
            f"import unittest\n\n\nclass Test{number}(unittest.TestCase):\n{methods}"
            f"    @unittest.skip('not now')\n    def test_skipped(self):\n        pass\n"
        )


def pages(folder: Path) -> None:
    """Make web pages."""
    place = folder / "pages"
    place.mkdir()
    words = ["river", "hill", "town", "road", "bridge", "market", "tower", "garden", "forest", "harbour", "island"]
    for number in range(24):
        chance = random.Random(number)
        text = "".join(f"<p>The {' '.join(chance.choices(words, k=40))} is there to be seen.</p>" for _ in range(30))
        (place / f"page_{number}.html").write_text(
            f"<html><head><title>Page {number}</title></head>"
            f"<body><article><h1>Page {number}</h1>{text}</article></body></html>"
        )


def licensed(folder: Path) -> None:
    """Make a project that says for each file under which license it is."""
    (folder / "LICENSES").mkdir()
    (folder / "LICENSES" / "MIT.txt").write_text("MIT License\n")
    place = folder / "src"
    place.mkdir()
    for number in range(120):
        tags = "# SPDX-FileCopyrightText: 2026 Somebody\n# SPDX-License-Identifier: MIT\n" if number % 10 else ""
        (place / f"module_{number}.py").write_text(f"{tags}\nNUMBER = {number}\n")
