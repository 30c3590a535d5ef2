"""Cython, several files at once."""

from pathlib import Path

from Cython.Build import cythonize

if __name__ == "__main__":
    files = sorted(map(str, Path("src").glob("**/*.py")))
    modules = cythonize(files, nthreads=2, force=True, quiet=True, compiler_directives={"language_level": 3})
    print(len(modules))
