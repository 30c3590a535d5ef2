"""What is examined is found without importing anything of it."""

from __future__ import annotations

import sys

import pytest

from interp_pool.doctor.subjects import TargetError, find_installed, find_required, find_target


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    home = tmp_path / "found"
    for folder in (home, home / "inner", home / "tests"):
        folder.mkdir()
        (folder / "__init__.py").write_text("raise SystemExit('imported')")
    (home / "inner" / "file.py").write_text("")
    (home / "fast.abi3.so").touch()
    (home / "not-a-module.py").write_text("")
    (home / "__main__.py").write_text("")
    (tmp_path / "single.py").write_text("raise SystemExit('imported')")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "part.py").write_text("")
    return home


def test_package_has_its_files_and_its_extension_modules(package):
    subject = find_target("found")
    assert (subject.kind, subject.roots) == ("module", ("found",))
    assert [source.module for source in subject.sources] == [
        "found",
        "found.__main__",
        "found.inner",
        "found.inner.file",
    ]
    assert subject.inner == ("found.inner", "found.inner.file")
    assert [source.is_package for source in subject.sources] == [True, False, True, False]
    if sys.platform == "linux":
        assert subject.extensions == ("found.fast",)
    assert "found" not in sys.modules


@pytest.mark.parametrize("name", ["single", "found.inner.file", "shared.part", "json", "sys"])
def test_module_is_found_without_importing_the_packages_it_is_in(package, name):
    assert find_target(name).roots == (name,)
    assert "found" not in sys.modules


def test_function_is_one_of_a_module(package):
    subject = find_target("single:Class.method")
    assert (subject.kind, subject.roots, subject.function) == ("function", ("single",), "Class.method")
    assert subject.route == ("single:Class.method",)
    assert [source.module for source in subject.sources] == ["single"]


def test_script_is_found_by_its_path(package):
    subject = find_target(str(package.parent / "single.py"))
    assert (subject.kind, subject.route) == ("script", ("__main__.*",))


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nosuch", "there is no module 'nosuch'"),
        ("found.nosuch", "there is no module 'found.nosuch'"),
        ("single.inner", "there is no module"),
        ("nosuch:f", "there is no module"),
        ("nosuch.py", "there is no script"),
        ("folder/nosuch", "there is no script"),
        ("single:", "names no function"),
        ("single:f()", "names no function"),
        ("two words", "neither a script nor the name of a module"),
        ("", "neither"),
    ],
)
def test_target_that_does_not_exist_is_an_error(package, target, text):
    with pytest.raises(TargetError, match=text.replace(".", r"\.")):
        find_target(target)


def test_requirements_are_read_with_what_they_include(tmp_path):
    (tmp_path / "more.txt").write_text("iniconfig\n-r req.txt\n")
    (tmp_path / "req.txt").write_text(
        "# these\nPytest >= 7 ; python_version > '3'\nhypothesis[numpy]==99\n--index-url https://x\n"
        "absent; python_version < '3'\n-r more.txt\n"
    )
    subjects = {subject.name.lower(): subject for subject in find_required(str(tmp_path / "req.txt"))}
    assert subjects.keys() == {"pytest", "hypothesis", "iniconfig"}
    assert "pytest" in subjects["pytest"].roots
    assert subjects["pytest"].version


def test_requirement_that_is_not_installed_and_file_that_is_not_there_are_errors(tmp_path):
    (tmp_path / "req.txt").write_text("absent\npytest\nmissing-too>1\n")
    with pytest.raises(TargetError, match="not installed: absent, missing-too"):
        find_required(str(tmp_path / "req.txt"))
    with pytest.raises(TargetError, match="cannot read"):
        find_required(str(tmp_path / "none.txt"))


def test_installed_distributions_have_importable_modules_and_are_not_ours():
    subjects = {subject.name: subject for subject in find_installed()}
    assert "pytest" in subjects
    assert "interp-pool" not in subjects
    assert all(subject.roots for subject in subjects.values())
