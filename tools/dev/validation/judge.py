"""Replays measured serving points and prints how far the program is off.

    tools/dev/validate_serving TABLE [--part held-out] [--sample 100] [-j 2] [--waves 10]

TABLE is inferencex_moe_dev.csv (see its header; aws_deepseek_ep_vs_tp_dev.csv is replayed by
validation/order.py instead: which layout is faster). Points are grouped by configuration (model,
GPU, engine, format, GPUs, EP); half of the configurations, by hash, are training points, used to
set engine parameters, and the other half, held out, is what accuracy is judged by.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import pathlib
import random
import statistics
import sys

from . import launches
from .order import print_order
from .points import read_points
from .replay import Replayer, quantile

BARS = (("TPOT median", "tpot", 0.5, 0.10, lambda p: True),
        ("TPOT p90", "tpot", 0.9, 0.35, lambda p: True),
        ("TTFT median", "ttft", 0.5, 0.20, lambda p: True),
        ("TPOT median, EP >= 8", "tpot", 0.5, 0.20, lambda p: p.config.layout.ep >= 8))


def arguments():
    root = pathlib.Path(__file__).resolve().parents[3]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table")
    parser.add_argument("--part", choices=("training", "held-out", "all"), default="held-out")
    parser.add_argument("--sample", type=int, default=0, help="this many points, by hash")
    parser.add_argument("--waves", type=float, default=10, help="requests / concurrency")
    parser.add_argument("--requests", type=int, default=0,
                        help="waves are cut to this many requests, but not below 3")
    parser.add_argument("--max-tokens", type=int, default=0,
                        help="leave out points with longer outputs")
    parser.add_argument("--only", default="", help="part of the configuration's name")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a [serving] value")
    parser.add_argument("--program", default=str(root / "build/release/moesim"))
    parser.add_argument("--cache", default=str(root / "build/validation"))
    parser.add_argument("-j", type=int, default=2, help="replays at once")
    parser.add_argument("--points", action="store_true", help="print every point")
    return parser.parse_args()


def chosen(points, options):
    if options.part != "all":
        points = [p for p in points if p.config.held_out == (options.part == "held-out")]
    points = [p for p in points if options.only in str(p.config)]
    if options.max_tokens:
        points = [p for p in points if p.osl <= options.max_tokens]
    # A sample takes from every configuration before it takes a second from any.
    by_hash = sorted(points, key=lambda p: hashlib.sha256(str(p).encode()).digest())
    turn = collections.Counter()
    order = []
    for p in by_hash:
        order.append((turn[p.config], len(order), p))
        turn[p.config] += 1
    order.sort(key=lambda item: item[:2])
    points = [p for _, _, p in order]
    return points[:options.sample] if options.sample else points


def value(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return {"true": True, "false": False}.get(text, text)


def bootstrap(groups, q, rounds=400):
    """90 % interval of a quantile; whole configurations are drawn, since their points agree."""
    stream = random.Random(1)
    draws = []
    for _ in range(rounds):
        picked = [e for _ in groups for e in stream.choice(groups)]
        draws.append(quantile(picked, q))
    return quantile(draws, 0.05), quantile(draws, 0.95)


def errors_of(done, metric):
    return [abs(r[metric] / getattr(p, metric) - 1) for p, r in done]


def grouped(done, metric):
    groups = collections.defaultdict(list)
    for p, r in done:
        groups[p.config].append(abs(r[metric] / getattr(p, metric) - 1))
    return list(groups.values())


def band(concurrency):
    return next(f"<= {b}" for b in (8, 32, 128, 1 << 30) if concurrency <= b)


def print_table(done):
    keys = (("all", lambda p: ""), ("engine", lambda p: p.config.engine),
            ("GPU", lambda p: p.config.system), ("model", lambda p: p.config.model),
            ("weights", lambda p: p.config.weights), ("EP", lambda p: p.config.layout.ep),
            ("attention", lambda p: p.mode), ("concurrency", lambda p: band(p.concurrency)),
            ("prompt", lambda p: p.isl if p.isl in (1024, 8192) else "other"),
            ("launch", lambda p: "published" if launches.published(p) else "unknown"))
    print(f"{'':12} {'':18} points  TPOT median [90 %]     p90   bias   TTFT median [90 %]     "
          "p90   bias")
    for title, key in keys:
        rows = collections.defaultdict(list)
        for p, r in done:
            rows[key(p)].append((p, r))
        for name in sorted(rows, key=str):
            print(f"{title:12} {name!s:18} {len(rows[name]):6}", end="")
            for metric in ("tpot", "ttft"):
                errors = errors_of(rows[name], metric)
                low, high = bootstrap(grouped(rows[name], metric), 0.5)
                bias = statistics.median(r[metric] / getattr(p, metric) - 1
                                         for p, r in rows[name])
                print(f"  {quantile(errors, 0.5):6.1%} [{low:6.1%},{high:6.1%}]"
                      f" {quantile(errors, 0.9):6.1%} {bias:+6.1%}", end="")
            print()


def print_bars(done):
    for name, metric, q, bar, belongs in BARS:
        errors = errors_of([(p, r) for p, r in done if belongs(p)], metric)
        if not errors:
            print(f"{name:24} no points")
            continue
        got = quantile(errors, q)
        low, high = bootstrap(grouped([(p, r) for p, r in done if belongs(p)], metric), q)
        print(f"{name:24} {got:6.1%} [{low:6.1%}, {high:6.1%}]  bar {bar:.0%}: "
              f"{'met' if got <= bar else 'missed'}  ({len(errors)} points)")


def replayed(replayer, points, jobs):
    """([(point, result)], Counter of errors)."""
    done, failed = [], collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for i, (p, r) in enumerate(zip(points, pool.map(replayer.replay, points))):
            if sys.stderr.isatty():
                print(f"\r{i + 1}/{len(points)}", end="", file=sys.stderr)
            if "error" in r:
                failed[f"{p.config}: {r['error'][:80]}"] += 1
            else:
                done.append((p, r))
    return done, failed


def main():
    options = arguments()
    settings = {k: value(v) for k, v in (s.split("=", 1) for s in options.set)}
    replayer = Replayer(options.program, options.cache, options.waves, settings,
                        options.requests)
    if "ep_vs_tp" in pathlib.Path(options.table).name:
        print_order(options.table, replayer)
        return 0
    points, left_out = read_points(options.table)
    points = chosen(points, options)
    done, failed = replayed(replayer, points, options.j)
    if options.points:
        for p, r in sorted(done, key=lambda item: str(item[0])):
            print(f"{p.config!s:62} {p.isl:5}/{p.osl:<5} c{p.concurrency:<5}"
                  f" tpot {p.tpot * 1e3:7.2f} ms {r['tpot'] / p.tpot - 1:+7.1%}"
                  f"   ttft {p.ttft * 1e3:8.1f} ms {r['ttft'] / p.ttft - 1:+7.1%}")
    print("\nrows and points left out:")
    for reason, count in [*left_out.most_common(), *failed.most_common()]:
        print(f"{count:6}  {reason}")
    if done:
        print(f"\n{options.part} points, {options.waves:g} waves\n")
        print_table(done)
        print()
        print_bars(done)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
