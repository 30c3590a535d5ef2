"""regex: a pattern of a C extension in the state of the tasks."""

from concurrent.futures import ProcessPoolExecutor

import regex

WORD = regex.compile(r"\p{L}+(?:['-]\p{L}+)*")


def count(text):
    return len(WORD.findall(text))


if __name__ == "__main__":
    texts = ["It's a naïve café, isn't it? " * number for number in range(200, 400)]
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(count, texts)))
