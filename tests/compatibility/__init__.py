"""Real programs that use process pools, unmodified: each as it is, and with `python -m interp_pool run`.

`programs.py` is the table, `inputs.py` makes what they work on, `drivers/` has small programs for libraries,
`running.py` runs one twice and says how they compare, `page.py` writes docs/compatibility.md. Their versions are pinned
in the dependency group `programs` of pyproject.toml; tools/compatibility installs them and writes the page:

    tools/compatibility                    # everything
    tools/compatibility --only 'black*'    # some; the page stays as it is
"""
