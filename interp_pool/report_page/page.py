"""The page: one file of HTML that needs no network and no script.

This file owns the order of what is shown and how it looks. It must not know how numbers are found.
"""

from collections.abc import Iterable
from datetime import datetime
from html import escape

from interp_pool._commands.layout import plural
from interp_pool.report_page.advice import advise
from interp_pool.report_page.drawing import COLOURS, Colours, histogram, timeline
from interp_pool.report_page.figures import Figures, Function, figures, percentile
from interp_pool.report_page.reading import Trace
from interp_pool.report_page.units import bytes_text, percent, seconds_text

__all__ = ["page"]

_MOST_FUNCTIONS = 12  # rows of their own
_MOST_WORKERS = 64  # likewise
_LEFT = ("ended with", "what ran longest in it")  # heads of columns of words

_STYLE = """
:root{--back:#fff;--text:#1b1f24;--soft:#5a6472;--line:#d5dae1;--lane:#f1f3f6;--card:#f7f8fa;--bad:#b3261e;--move:#7a8594;
--f0:#0067a5;--f1:#b85c00;--f2:#00795a;--f3:#a8447f;--f4:#5b55c9;--f5:#7d6a00;--f6:#66707d}
@media(prefers-color-scheme:dark){:root{--back:#14171b;--text:#e6e9ee;--soft:#9aa5b4;--line:#3a424d;--lane:#1f242b;
--card:#1b2026;--bad:#ff8a80;--move:#8893a3;--f0:#58b0f0;--f1:#f0a04b;--f2:#3fc9a0;--f3:#e58ac0;--f4:#a39dff;--f5:#d3c04a;
--f6:#98a2b0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1100px;padding:24px 20px 60px;background:var(--back);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}p{margin:.3rem 0}
.soft,caption,th{color:var(--soft)}.note{border-left:4px solid var(--bad);padding-left:12px;margin-top:14px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:18px 0 0;padding:0;
list-style:none}.tiles li{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 14px}
.tiles b{display:block;font-size:1.25rem}
ol.advice{padding-left:1.4rem;margin:.4rem 0}ol.advice li{margin:.45rem 0;max-width:78ch}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font:11px system-ui,sans-serif}
.lane{fill:var(--lane)}.grid{stroke:var(--line);stroke-width:.6}.tick{stroke:var(--soft);stroke-width:.8}
.name{text-anchor:end}.time{text-anchor:middle}.moving,.start{fill:var(--move)}.start{opacity:.55}
.mark{fill:var(--bad)}.waiting{fill:var(--f6);opacity:.55}.bad{stroke:var(--bad);stroke-width:1.5}
.f0{fill:var(--f0)}.f1{fill:var(--f1)}.f2{fill:var(--f2)}.f3{fill:var(--f3)}.f4{fill:var(--f4)}.f5{fill:var(--f5)}
.f6{fill:var(--f6)}.l1{opacity:.3}.l2{opacity:.5}.l3{opacity:.75}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;padding:0;margin:8px 0 0;font-size:.9rem}
.legend svg{display:inline-block;width:12px;height:12px;vertical-align:-1px;margin-right:6px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}caption{text-align:left;padding-bottom:4px}
th,td{padding:4px 10px 4px 0;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;
vertical-align:bottom}th{white-space:normal;min-width:4.5em}td:first-child{min-width:9em}
th{font-weight:500}th:first-child,td:first-child,.left{text-align:left}
td code{white-space:normal;overflow-wrap:anywhere}
code{font:.92em ui-monospace,Consolas,monospace}.histogram{width:144px}.histogram text{font-size:8px;text-anchor:middle}
.run{fill:var(--f0)}.wait{fill:var(--f6)}.bar{height:12px;min-width:160px;background:var(--lane);display:flex}
.bar i{display:block;height:100%;background:var(--f0)}
"""


def page(trace: Trace, name: str) -> str:
    """Return the page of a trace.

    Args:
        trace: It.
        name: Of its file.
    """
    found = figures(trace)
    colours: Colours = {each.name: number for number, each in enumerate(_by_name(found)[:COLOURS])}
    title = f"What the pool did: {name}"
    body = [
        f"<header><h1>{escape(title)}</h1>{_origin(trace)}</header>",
        _notes(trace),
        _tiles(found),
        "<section><h2>What to do</h2><ol class='advice'>",
        *(f"<li data-topic='{each.topic}'>{escape(each.text)}</li>" for each in advise(found)),
        "</ol></section>",
    ]
    if found.tasks:
        body += [
            _picture(trace, found, colours),
            _functions(found),
            _slowest(found),
            _serial(found),
            _workers(trace, found),
        ]
    body.append(_moments(trace))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _by_name(found: Figures) -> list[Function]:
    """Return one function of each name: what is called by `map` and by `submit` has one colour."""
    return [*{each.name: each for each in reversed(found.functions)}.values()][::-1]


def _origin(trace: Trace) -> str:
    about = trace.about
    began = about.get("began")
    when = "" if began is None else f", {datetime.fromtimestamp(began).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    return (
        f"<p class='soft'><code>{escape(str(about.get('program', '')) or 'python')}</code>, process "
        f"{escape(str(about.get('process', '?')))}, CPython {escape(str(about.get('python', '?')))}{escape(when)}</p>"
    )


def _notes(trace: Trace) -> str:
    notes: list[str] = []
    if not trace.is_whole:
        notes.append("The trace ends in the middle: the program was ended, or still runs. What came later is missing.")
    if trace.lost:
        notes.append(f"{plural(trace.lost, 'note')} came faster than the disk could take them, and are missing.")
    return "".join(f"<p class='note'>{escape(note)}</p>" for note in notes)


def _tiles(found: Figures) -> str:
    tiles = [
        (seconds_text(found.seconds), "from the first task to the last"),
        (f"{found.tasks:,}", "tasks and messages of map"),
        (f"{found.parallel:.1f} of {found.workers_at_once}", "workers busy on average"),
        (f"{found.cpus}", "processors" if found.cpus != 1 else "processor"),
        (percent(found.share_of(1)), "of the time one was busy at most"),
    ]
    return "<ul class='tiles'>" + "".join(f"<li><b>{value}</b>{text}</li>" for value, text in tiles) + "</ul>"


def _picture(trace: Trace, found: Figures, colours: Colours) -> str:
    names = [(name, number) for name, number in colours.items()]
    if len(_by_name(found)) > COLOURS:
        names.append(("others", COLOURS))
    square = "<svg viewBox='0 0 12 12' aria-hidden='true'><rect class='{}' width='12' height='12'/></svg>"
    legend = "".join(f"<li>{square.format(f'f{number}')}{escape(name)}</li>" for name, number in names)
    legend += f"<li>{square.format('moving')}unpickling, imports, encoding</li>"
    legend += f"<li>{square.format('mark')}interrupt, timeout, abandoned worker</li>"
    picture = timeline(trace, colours, found.began, found.seconds or 1e-6)
    return (
        "<section><h2>Workers over time</h2><p class='soft'>One row for each worker. Below: how many tasks waited. "
        f"Pale colours: busy for a part of that time.</p><div class='wide'>{picture}</div>"
        f"<ul class='legend'>{legend}</ul></section>"
    )


def _functions(found: Figures) -> str:
    rows: list[str] = []
    for each in found.functions[:_MOST_FUNCTIONS]:
        size = (each.bytes_in + each.bytes_out) / each.count
        what = f"{each.count:,} messages, {each.items:,} items" if each.is_map else f"{each.count:,}"
        failed = f" ({each.failed:,} failed)" if each.failed else ""
        rows.append(
            f"<tr><td><code>{escape(each.name)}</code></td><td>{what}{failed}</td><td>{seconds_text(each.total)}</td>"
            f"<td>{seconds_text(percentile(each.runs, 0.5))}</td><td>{seconds_text(each.runs[-1])}</td>"
            f"<td>{histogram(each.runs, 'run')}</td><td>{seconds_text(percentile(each.waits, 0.5))}</td>"
            f"<td>{histogram(each.waits, 'wait')}</td>"
            f"<td>{seconds_text((each.moving + each.importing) / each.count)}</td>"
            f"<td>{bytes_text(size)}</td></tr>"
        )
    more = len(found.functions) - _MOST_FUNCTIONS
    seconds = seconds_text(sum(each.total for each in found.functions[_MOST_FUNCTIONS:]))
    rest = f"<p class='soft'>{plural(more, 'other function')} ran for {seconds}.</p>"
    head = ("function", "tasks", "ran, in all", "median", "longest", "run times", "waited, median", "wait times")
    return (
        "<section><h2>Functions</h2><div class='wide'>"
        + _table((*head, "unpickling, encoding", "bytes"), rows)
        + f"</div>{rest if more > 0 else ''}</section>"
    )


def _slowest(found: Figures) -> str:
    rows = [
        f"<tr><td><code>{escape(task.name)}</code></td><td>{seconds_text(task.ran)}</td>"
        f"<td>{seconds_text(max(0.0, task.began - found.began))}</td><td>{seconds_text(task.waited)}</td>"
        f"<td class='left'>{escape(task.outcome) or 'a result'}</td></tr>"
        for task in found.slowest
    ]
    head = ("task", "ran", "began at", "waited", "ended with")
    return f"<section><h2>The slowest tasks</h2><div class='wide'>{_table(head, rows)}</div></section>"


def _serial(found: Figures) -> str:
    rows = [
        f"<tr><td>{seconds_text(max(0.0, each.began - found.began))}</td><td>{seconds_text(each.seconds)}</td>"
        f"<td class='left'>{f'<code>{escape(each.what)}</code>' if each.what else 'nothing ran'}</td></tr>"
        for each in found.stretches
        if each.seconds >= 0.01 * found.seconds
    ]
    share = found.share_of(1)
    text = (
        f"<p>For {seconds_text(share * found.seconds)}, {percent(share)} of the time, one worker at most was busy, and "
        f"for {percent(found.share_of(0))} none.</p>"
    )
    table = _table(("from", "for", "what ran longest in it"), rows) if rows else ""
    return f"<section><h2>What was serial</h2>{text}<div class='wide'>{table}</div></section>"


def _workers(trace: Trace, found: Figures) -> str:
    both = sorted(zip(trace.workers, found.busy, strict=True), key=lambda each: -each[1])
    rows: list[str] = []
    for worker, busy in both[:_MOST_WORKERS]:
        share = min(1.0, busy / (found.seconds or 1.0))
        rows.append(
            f"<tr><td>{escape(worker.name)}</td><td>{seconds_text(busy)}</td><td>{percent(share)}</td>"
            f"<td class='left'><div class='bar'><i style='width:{100 * share:.0f}%'></i></div></td></tr>"
        )
    more = len(both) - _MOST_WORKERS
    seconds = seconds_text(sum(busy for _, busy in both[_MOST_WORKERS:]))
    rest = f"<p class='soft'>{plural(more, 'other worker')}: {seconds} busy.</p>"
    table = _table(("worker", "busy", "of the time", ""), rows)
    return f"<section><h2>Utilisation</h2><div class='wide'>{table}</div>{rest if more > 0 else ''}</section>"


def _moments(trace: Trace) -> str:
    """Count what has happened beside tasks."""
    counts: dict[str, int] = {}
    for moment in trace.moments:
        what = moment.what.partition(":")[0]
        counts[what] = counts.get(what, 0) + 1
    if not counts:
        return ""
    rows = [f"<tr><td>{escape(what)}</td><td>{count:,}</td></tr>" for what, count in sorted(counts.items())]
    return f"<section><h2>What else happened</h2><div class='wide'>{_table(('what', 'times'), rows)}</div></section>"


def _table(head: Iterable[str], rows: Iterable[str]) -> str:
    cells = "".join(f"<th scope='col'{' class=left' if each in _LEFT else ''}>{escape(each)}</th>" for each in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
