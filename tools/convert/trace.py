#!/usr/bin/env python3
"""Turns recorded workloads of other layouts into a trace that moesim replays.

    tools/convert/trace.py LAYOUT FILE > trace.csv

and in the scenario:  arrivals = { process = "trace", file = "trace.csv" }

Layouts:
  azure     Azure LLM inference traces 2023 and 2024: CSV TIMESTAMP,ContextTokens,GeneratedTokens
  mooncake  Mooncake JSON lines: timestamp (ms), input_length, output_length, hash_ids
  burstgpt  BurstGPT CSV: Timestamp (s), Model, Request tokens, Response tokens, ... The model
            becomes the tenant; failed requests (no response tokens) are left out.
  vllm      result of `vllm bench serve --save-result --save-detailed` (JSON)
  sglang    output of `sglang.bench_serving --output-details` (JSON lines; the last run, or --run N)

Benchmark outputs without send times need --rate: requests are spaced evenly at that rate. With
other arrivals than "trace" such a file still serves: input_tokens = { distribution = "trace",
file = ... }.

stdout is the trace, stderr says what was left out. Exit 0 done, 2 wrong input.
"""

import argparse
import csv
import datetime
import json
import re
import sys

COLUMNS = ("arrival_s", "input_tokens", "output_tokens", "tenant", "priority", "prefix")


class WrongInput(Exception):
    """The file is not of the layout; the text names the line."""


def say(text):
    print(text, file=sys.stderr)


def rows_of_csv(lines, needed):
    """Yields (line number, row as dict); raises WrongInput if a needed column is missing."""
    reader = csv.DictReader(lines)
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        raise WrongInput(f"line 1: no column {', '.join(missing)}; found {reader.fieldnames}")
    for row in reader:
        yield reader.line_num, row


def number(text, where, kind=float):
    try:
        return kind(text)
    except (TypeError, ValueError):
        raise WrongInput(f"{where}: {text!r} is not a number") from None


def seconds_of_timestamp(text, where):
    """'2023-11-16 18:15:46.6805900' or '2024-05-10 00:00:00.009930+00:00', in seconds."""
    match = re.fullmatch(r"(\S+[ T]\d+:\d+:\d+)(\.\d+)?([+-]\d+:\d+|Z)?", (text or "").strip())
    if not match:
        raise WrongInput(f"{where}: {text!r} is not a time like 2023-11-16 18:15:46.68")
    whole, fraction, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z") else zone
    try:
        moment = datetime.datetime.fromisoformat(whole + zone)
    except ValueError as problem:
        raise WrongInput(f"{where}: {problem}") from None
    return moment.timestamp() + float(fraction or 0)


def azure(lines, options):
    for line, row in rows_of_csv(lines, ("TIMESTAMP", "ContextTokens", "GeneratedTokens")):
        where = f"line {line}"
        yield {
            "arrival_s": seconds_of_timestamp(row["TIMESTAMP"], where),
            "input_tokens": number(row["ContextTokens"], where, int),
            "output_tokens": number(row["GeneratedTokens"], where, int),
        }


def burstgpt(lines, options):
    for line, row in rows_of_csv(lines, ("Timestamp", "Request tokens", "Response tokens")):
        where = f"line {line}"
        yield {
            "arrival_s": number(row["Timestamp"], where),
            "input_tokens": number(row["Request tokens"], where, int),
            "output_tokens": number(row["Response tokens"], where, int),
            "tenant": row.get("Model") or "",
        }


def json_lines(lines):
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except ValueError as problem:
            raise WrongInput(f"line {line}: {problem}") from None
        if not isinstance(value, dict):
            raise WrongInput(f"line {line}: not a JSON object")
        yield line, value


def mooncake(lines, options):
    blocks = 0
    known = 0
    seen = set()
    for line, row in json_lines(lines):
        where = f"line {line}"
        hashes = row.get("hash_ids") or []
        blocks += len(hashes)
        known += sum(h in seen for h in hashes)
        seen.update(hashes)
        yield {
            "arrival_s": number(row.get("timestamp"), where) / 1000,
            "input_tokens": number(row.get("input_length"), where, int),
            "output_tokens": number(row.get("output_length"), where, int),
            # 0 means "none" in a trace.
            "prefix": hashes[0] + 1 if hashes else 0,
        }
    if blocks:
        say(f"{known / blocks:.3f} of the prompt blocks had come before: an upper bound for "
            "serving.prefix_hit_ratio")


def benchmark(result, options, where):
    """One result of vLLM's or SGLang's serving benchmark, with its details."""
    for key in ("input_lens", "output_lens"):
        if key not in result:
            raise WrongInput(f"{where}: no {key!r}; save the details "
                             "(vLLM: --save-detailed, SGLang: --output-details)")
    inputs, outputs = result["input_lens"], result["output_lens"]
    if len(inputs) != len(outputs):
        raise WrongInput(f"{where}: {len(inputs)} input_lens but {len(outputs)} output_lens")
    starts = result.get("start_times")
    if starts is None:
        if not options.rate:
            raise WrongInput(f"{where}: no send times in the file; give --rate REQUESTS_PER_S")
        starts = [i / options.rate for i in range(len(inputs))]
    errors = result.get("errors") or [""] * len(inputs)
    for i, (start, prompt, answer, error) in enumerate(zip(starts, inputs, outputs, errors)):
        item = f"{where}, request {i}"
        yield {
            "arrival_s": number(start, item),
            "input_tokens": number(prompt, item, int),
            "output_tokens": 0 if error else number(answer, item, int),
        }


def vllm(lines, options):
    try:
        result = json.loads("".join(lines))
    except ValueError as problem:
        raise WrongInput(str(problem)) from None
    if not isinstance(result, dict):
        raise WrongInput("not a JSON object")
    yield from benchmark(result, options, "the result")


def sglang(lines, options):
    runs = list(json_lines(lines))
    if not runs:
        raise WrongInput("no run in the file")
    if not -len(runs) <= options.run < len(runs):
        raise WrongInput(f"run {options.run} of {len(runs)}")
    line, result = runs[options.run]
    yield from benchmark(result, options, f"line {line}")


LAYOUTS = {"azure": azure, "mooncake": mooncake, "burstgpt": burstgpt, "vllm": vllm,
           "sglang": sglang}


def convert(layout, lines, options, out):
    """Writes the trace; returns (kept, left out). Requests without input or output are out."""
    rows = []
    left_out = 0
    for row in LAYOUTS[layout](lines, options):
        if row["input_tokens"] < 1 or row["output_tokens"] < 1:
            left_out += 1
        else:
            rows.append(row)
    if not rows:
        raise WrongInput("no request with input and output tokens")
    rows.sort(key=lambda row: row["arrival_s"])
    first = rows[0]["arrival_s"]
    columns = [c for c in COLUMNS if any(row.get(c) for row in rows) or c in COLUMNS[:3]]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        # Microseconds: below that, a difference of two wall-clock doubles is noise.
        row["arrival_s"] = f"{row['arrival_s'] - first:.6f}"
        writer.writerow([row.get(c, 0 if c in ("priority", "prefix") else "") for c in columns])
    return len(rows), left_out


def parser():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("layout", choices=sorted(LAYOUTS))
    p.add_argument("file", help="- for stdin")
    p.add_argument("--rate", type=float, default=0, help="requests/s where send times are missing")
    p.add_argument("--run", type=int, default=-1, help="sglang: which run of the file, from 0")
    return p


def main(arguments):
    options = parser().parse_args(arguments)
    try:
        if options.file == "-":
            kept, left_out = convert(options.layout, sys.stdin, options, sys.stdout)
        else:
            with open(options.file, newline="", encoding="utf-8-sig") as lines:
                kept, left_out = convert(options.layout, lines, options, sys.stdout)
    except (WrongInput, UnicodeDecodeError) as problem:
        say(f"{options.file}: {problem}")
        return 2
    except OSError as problem:
        say(f"{options.file}: {problem.strerror}")
        return 1
    say(f"{kept} requests" + (f", {left_out} without answer left out" if left_out else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
