"""Platypus: NSGA-II whose solutions are judged in processes."""

import random

from platypus import DTLZ2, NSGAII, MultiprocessingEvaluator, ProcessPoolEvaluator

if __name__ == "__main__":
    for kind in (ProcessPoolEvaluator, MultiprocessingEvaluator):
        random.seed(3)
        with kind(2) as evaluator:
            algorithm = NSGAII(DTLZ2(), evaluator=evaluator)
            algorithm.run(1_000)
        print(kind.__name__, round(sum(value for found in algorithm.result for value in found.objectives), 9))
