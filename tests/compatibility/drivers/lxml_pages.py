"""lxml: parse and search documents."""

from concurrent.futures import ProcessPoolExecutor

import lxml.html


def links(number):
    rows = "".join(f'<li class=c{row % 3}><a href="/{number}/{row}">row {row}</a>' for row in range(800))
    page = lxml.html.fromstring(f"<html><body><ul>{rows}</ul></body></html>")
    return max(each.get("href") for each in page.xpath("//li[@class='c1']/a"))


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(links, range(40))))
