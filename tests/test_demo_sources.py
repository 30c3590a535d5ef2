"""The demo: which files it finds, and which of them it uses."""

import errno
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from interp_pool.demo.sources import SourceError, SourceFile, find_sources, sample, standard_library


class TestSources:
    def test_every_python_file_is_found_and_nothing_is_left_out_silently(self, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "two.py").write_text("xx")
        (tmp_path / "one.py").write_text("x")
        (tmp_path / "data.txt").write_text("x")
        (tmp_path / "directory.py").mkdir()
        (tmp_path / "dangling.py").symlink_to("nowhere")
        (tmp_path / "link").symlink_to("b")
        sources = find_sources(str(tmp_path))
        assert sources.files == [
            SourceFile(str(tmp_path / "b" / "two.py"), 2),
            SourceFile(str(tmp_path / "one.py"), 1),
        ]
        assert dict(sources.skipped) == {
            str(tmp_path / "dangling.py"): "no such file or directory",
            str(tmp_path / "link"): "a link to a directory, not followed",
        }

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this platform")
    def test_named_pipe_is_skipped_and_never_opened(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.py")
        (tmp_path / "one.py").write_text("x")
        assert find_sources(str(tmp_path)).skipped == [(str(tmp_path / "pipe.py"), "not a regular file")]

    def test_unreadable_directory_is_skipped_and_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # Denied by hand: the tests may run as root, whom no permission stops.
        denied = tmp_path / "denied"
        denied.mkdir()
        (tmp_path / "one.py").write_text("x")
        deny(monkeypatch, denied)
        sources = find_sources(str(tmp_path))
        assert [file.path for file in sources.files] == [str(tmp_path / "one.py")]
        assert sources.skipped == [(str(denied), "cannot read directory: permission denied")]

    def test_default_is_the_standard_library_without_installed_packages(self) -> None:
        sources = find_sources()
        paths = [file.path for file in sources.files]
        assert os.path.join(standard_library(), "ast.py") in paths
        assert paths == sorted(paths)
        assert not any(f"{os.sep}site-packages{os.sep}" in path for path in paths)

    def test_bad_directory_raises_with_its_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        missing, empty, file = tmp_path / "missing", tmp_path / "empty", tmp_path / "file"
        empty.mkdir()
        file.write_text("")
        with pytest.raises(SourceError, match=r"cannot read directory: '.*missing'; no such file or directory"):
            find_sources(str(missing))
        with pytest.raises(SourceError, match=r"cannot read directory: '.*file'; "):
            find_sources(str(file))
        with pytest.raises(SourceError, match=r"nothing to measure: '.*empty'; no readable \.py file is under it$"):
            find_sources(str(empty))
        deny(monkeypatch, empty)
        with pytest.raises(SourceError, match=r"cannot read directory: '.*empty'; permission denied"):
            find_sources(str(empty))


def deny(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path == str(directory):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


FILES = [SourceFile(f"{index:03}.py", (index * 7919) % 1000) for index in range(500)]


class TestSample:
    def test_same_files_are_chosen_every_time_whatever_their_order(self) -> None:
        shuffled = random.Random(1).sample(FILES, len(FILES))
        chosen = sample(FILES, count=50)
        assert sample(FILES, count=50) == chosen
        assert set(sample(shuffled, count=50)) == set(chosen)
        assert chosen == [file for file in FILES if file in chosen]

    @pytest.mark.parametrize("count", [1, 2, 3, 49, 250, 499, 500])
    def test_exactly_the_asked_number_is_chosen(self, count: int) -> None:
        assert len(set(sample(FILES, count=count))) == count

    def test_sizes_are_spread_as_in_the_whole(self) -> None:
        chosen = sample(FILES, count=50)
        tenths = Counter(file.size // 100 for file in chosen)
        assert set(tenths) == set(range(10))
        assert max(tenths.values()) <= 6

    def test_bytes_asked_for_are_about_met(self) -> None:
        total = sum(file.size for file in FILES)
        assert sum(file.size for file in sample(FILES, size=total // 4)) == pytest.approx(total / 4, rel=0.05)

    def test_everything_is_used_when_no_more_is_there(self) -> None:
        assert sample(FILES, count=501) == FILES
        assert sample(FILES, size=10**9) == FILES
        assert sample(FILES) == FILES
        assert sample([], count=1) == []

    def test_one_file_larger_than_asked_for_is_still_used(self) -> None:
        large = [SourceFile("large.py", 10**9)]
        assert sample(large, size=1) == large
