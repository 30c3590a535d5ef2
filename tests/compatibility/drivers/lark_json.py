"""lark: a grammar compiled in each worker, trees that come back."""

import json
from concurrent.futures import ProcessPoolExecutor

from lark import Lark

PARSER = Lark(
    r"""
    ?value: object | array | ESCAPED_STRING | SIGNED_NUMBER | "true" | "false" | "null"
    array: "[" [value ("," value)*] "]"
    object: "{" [pair ("," pair)*] "}"
    pair: ESCAPED_STRING ":" value
    %import common (ESCAPED_STRING, SIGNED_NUMBER, WS)
    %ignore WS
    """,
    start="value",
    parser="lalr",
)


def parse(text):
    return PARSER.parse(text)


if __name__ == "__main__":
    texts = [json.dumps({f"key {m}": [m, n, True, None, {"x": "y" * m}] for m in range(n)}) for n in range(60, 110)]
    with ProcessPoolExecutor(2) as pool:
        for tree in pool.map(parse, texts):
            print(len(tree.pretty()), sum(1 for _ in tree.iter_subtrees()))
