"""The standard library alone: imap_unordered over generators, with an initializer and decimal's context."""

import decimal
import multiprocessing

PRECISION = None


def prepare(digits):
    global PRECISION
    PRECISION = digits
    decimal.getcontext().prec = digits


def root(number):
    return number, str(decimal.Decimal(number).sqrt())[:PRECISION]


if __name__ == "__main__":
    with multiprocessing.Pool(2, prepare, (200,)) as pool:
        for found in sorted(pool.imap_unordered(root, (n for n in range(3_000)), chunksize=50)):
            print(*found)
