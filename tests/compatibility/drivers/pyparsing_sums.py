"""pyparsing: a grammar with functions, results that come back."""

from concurrent.futures import ProcessPoolExecutor

import pyparsing

number = pyparsing.Word(pyparsing.nums).set_parse_action(lambda found: int(found[0]))
left = pyparsing.OpAssoc.LEFT
expression = pyparsing.infix_notation(number, [(pyparsing.one_of("* /"), 2, left), (pyparsing.one_of("+ -"), 2, left)])


def parse(text):
    return expression.parse_string(text, parse_all=True)


if __name__ == "__main__":
    texts = ["-".join(f"({n}*{m}+{n})" for m in range(8)) for n in range(40)]
    with ProcessPoolExecutor(2) as pool:
        for found in pool.map(parse, texts):
            print(found.as_list())
