"""inspyred: differential evolution whose candidates are judged in processes."""

import math
import random

import inspyred


def generate(random, args):
    return [random.uniform(-5, 5) for _ in range(30)]


def judge(candidates, args):
    return [sum(x * x - 10 * math.cos(2 * math.pi * x) + 10 for x in each for _ in range(5)) for each in candidates]


if __name__ == "__main__":
    evolution = inspyred.ec.DEA(random.Random(4))
    evolution.terminator = inspyred.ec.terminators.evaluation_termination
    population = evolution.evolve(
        generator=generate,
        evaluator=inspyred.ec.evaluators.parallel_evaluation_mp,
        mp_evaluator=judge,
        mp_num_cpus=2,
        pop_size=20,
        bounder=inspyred.ec.Bounder(-5, 5),
        maximize=False,
        max_evaluations=300,
    )
    print(min(population).fitness)
