"""Which servers the benchmark started: what a row's labels leave out or get wrong.

launches.csv holds the published search spaces. A row whose layout no search space has was
labelled by a source that lost expert parallelism or attention DP; one that only a search space
with drafting (MTP) has did draft tokens, which no column tells.
"""

import csv
import dataclasses
import datetime
import functools
import pathlib

PRECISION = {"fp8_block": "fp8", "fp8": "fp8", "nvfp4": "fp4", "mxfp4": "fp4", "w4a8": "fp4",
             "fp4": "fp4", "int4": "int4"}


@dataclasses.dataclass(frozen=True)
class Launch:
    version: str
    isl: int
    osl: int
    gpus: int
    ep: int
    dp_attention: bool
    drafts: bool
    concurrency: range
    days: tuple  # first, last


@functools.cache
def all_launches():
    """(model, system, engine, precision) -> [Launch]."""
    found = {}
    file = pathlib.Path(__file__).with_name("launches.csv")
    with open(file, newline="") as text:
        for r in csv.DictReader(line for line in text if not line.startswith("#")):
            key = (r["model"], r["system"], r["engine"], r["precision"])
            found.setdefault(key, []).append(Launch(
                r["version"], int(r["isl"]), int(r["osl"]), int(r["tp"]), int(r["ep"]),
                r["dp_attention"] == "1", r["drafts"] == "1",
                range(int(r["concurrency_min"]), int(r["concurrency_max"]) + 1),
                (r["first"], r["last"])))
    return found


def published(point):
    """Whether the point is of the benchmark that publishes how it starts its servers."""
    c = point.config
    known = (c.model, c.system, c.engine, PRECISION.get(c.weights)) in all_launches()
    return known and point.isl in (1024, 8192)


def launches_of(config, isl, osl, concurrency, version, day):
    """Search spaces that had such a server: of its version, or where it is not told, that were
    there on the day (the first ones are of the day after the first rows)."""
    known = all_launches().get((config.model, config.system, config.engine,
                                PRECISION.get(config.weights)), [])
    fits = [x for x in known if (x.isl, x.osl, x.gpus) == (isl, osl, config.layout.gpus)
            and concurrency in x.concurrency]
    if version:
        return [x for x in fits if x.version == version or x.version.startswith(version + "-")]
    earliest = min((x.days[0] for x in known), default="")
    return [x for x in fits if x.days[0] <= max(day, earliest) <= later(x.days[1], 14)]


def later(day, days):
    """An entry holds until the file's next change: up to two weeks."""
    return (datetime.date.fromisoformat(day) + datetime.timedelta(days)).isoformat()


@dataclasses.dataclass(frozen=True)
class Checked:
    config: object            # with the layout it was run in
    version: str
    may_draft: bool = False   # servers with drafting and without were launched so
    reason: str = ""          # to leave the row out


def checked(config, launches, version):
    layout = config.layout
    if not launches:
        return Checked(config, version)
    same = [x for x in launches if x.ep == layout.ep and x.dp_attention == (layout.dp > 1)]
    if not same:
        # The same experts' layout with the other attention, else the only one there was.
        same = [x for x in launches if x.ep == layout.ep > 1] or [x for x in launches
                                                                  if not x.drafts]
        if len({(x.ep, x.dp_attention) for x in same}) != 1:
            return Checked(config, version,
                           reason="no such layout in the benchmark's search spaces")
    if all(x.drafts for x in same):
        return Checked(config, version, reason="drafted tokens (MTP): launched only so")
    n = layout.gpus
    tp, dp = (1, n) if same[0].dp_attention else (n, 1)
    layout = dataclasses.replace(layout, tp=tp, dp=dp, ep=same[0].ep, moe_tp=n // same[0].ep)
    versions = {x.version for x in same}
    return Checked(dataclasses.replace(config, layout=layout),
                   version or (versions.pop() if len(versions) == 1 else ""),
                   any(x.drafts for x in same))
