"""tqdm's process_map, which gives its workers a lock of multiprocessing in initargs."""

from tqdm.contrib.concurrent import process_map


def collatz(start):
    steps = 0
    while start != 1:
        start = start // 2 if start % 2 == 0 else 3 * start + 1
        steps += 1
    return steps


if __name__ == "__main__":
    lengths = process_map(collatz, range(1, 20_000), max_workers=2, chunksize=500)
    print(max(lengths), sum(lengths))
    print(process_map(pow, [2, 3, 5], [7, 8, 9], max_workers=2))
