"""neat-python: genomes judged by its ParallelEvaluator."""

import random
from pathlib import Path

import neat

CASES = [((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 0)]


def judge(genome, config):
    network = neat.nn.FeedForwardNetwork.create(genome, config)
    return 4 - sum((network.activate(given)[0] - wanted) ** 2 for given, wanted in CASES for _ in range(20)) / 20


if __name__ == "__main__":
    random.seed(6)
    kinds = neat.DefaultGenome, neat.DefaultReproduction, neat.DefaultSpeciesSet, neat.DefaultStagnation
    config = neat.Config(*kinds, Path(__file__).with_name("neat.ini"))
    with neat.ParallelEvaluator(2, judge) as evaluator:
        winner = neat.Population(config).run(evaluator.evaluate, 8)
    print(round(winner.fitness, 9), winner.size())
