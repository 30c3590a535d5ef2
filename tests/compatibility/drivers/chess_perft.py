"""python-chess: how many games of three moves there are."""

from concurrent.futures import ProcessPoolExecutor

import chess


def count(position, depth):
    board = chess.Board(position)
    if depth == 1:
        return board.legal_moves.count()
    total = 0
    for move in list(board.legal_moves):
        board.push(move)
        total += count(board.fen(), depth - 1)
        board.pop()
    return total


if __name__ == "__main__":
    board = chess.Board()
    positions = []
    for move in board.legal_moves:
        board.push(move)
        positions.append(board.fen())
        board.pop()
    with ProcessPoolExecutor(2) as pool:
        counts = list(pool.map(count, positions, [2] * len(positions)))
    print(counts, sum(counts))
