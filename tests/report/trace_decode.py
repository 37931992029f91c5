#!/usr/bin/env python3
"""Reads a Perfetto trace without any of moesim's code and checks that its slices nest.

Prints, sorted: "slices N", "counters N", "flows N", "process NAME", "thread NAME",
"counter NAME UNIT" and per slice name "sum NAME SECONDS_EXACT SECONDS_BY_CLOCK COUNT". With
--tracks also, separated by tabs: "on THREAD SLICE/INNER SECONDS_EXACT COUNT", "range COUNTER
LEAST MOST" and "flow NUMBER SLICES NAME_OF_THE_FIRST".
Exits 1 with a line saying what is wrong with the file.
"""
import struct
import sys
from collections import defaultdict


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of a protobuf message; value is an int or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = data[at : at + 8], at + 8
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        elif kind == 5:
            value, at = data[at : at + 4], at + 4
        else:
            raise SystemExit(f"wire type {kind} at byte {at}")
        if at > len(data):
            raise SystemExit(f"field {number} runs past its message")
        yield number, value


def message(data):
    out = defaultdict(list)
    for number, value in fields(data):
        out[number].append(value)
    return out


def main(path, *options):
    names, annotations, lines = {}, {}, []
    open_slices = defaultdict(list)  # track -> [(name, begin)]
    last, clock, exact = {}, defaultdict(int), defaultdict(float)
    counts, counters, flows, tracks = defaultdict(int), 0, defaultdict(list), {}
    on, ranges = defaultdict(lambda: [0.0, 0]), {}
    with open(path, "rb") as file:
        packets = [value for number, value in fields(file.read()) if number == 1]
    for packet in map(message, packets):
        for data in map(message, packet[12]):
            for entry in map(message, data[2]):
                names[entry[1][0]] = entry[2][0].decode()
            for entry in map(message, data[3]):
                annotations[entry[1][0]] = entry[2][0].decode()
        for track in map(message, packet[60]):
            if track[3]:
                name = message(track[3][0])[6][0].decode()
                lines.append("process " + name)
            elif track[4]:
                name = message(track[4][0])[5][0].decode()
                lines.append("thread " + name)
            else:
                unit, name = message(track[8][0])[6], track[2][0].decode()
                lines.append(" ".join(["counter", name] + [u.decode() for u in unit]))
            tracks[track[1][0]] = name
        for event in map(message, packet[11]):
            at, track, kind = packet[8][0], event[11][0], event[9][0]
            if track not in tracks:
                raise SystemExit(f"event on track {track}, which has no descriptor")
            for flow in event[47]:
                flows[struct.unpack("<Q", flow)[0]].append((at, names[event[10][0]]))
            if kind == 4:
                counters += 1
                value = struct.unpack("<d", event[44][0])[0]
                least, most = ranges.get(tracks[track], (value, value))
                ranges[tracks[track]] = min(least, value), max(most, value)
                continue
            if at < last.get(track, 0):
                raise SystemExit(f"time runs back on track {track} at {at} ns")
            last[track] = at
            if kind == 1:
                name = names[event[10][0]]
                open_slices[track].append((name, at))
                counts[name] += 1
                for note in map(message, event[4]):
                    if annotations[note[1][0]] == "seconds":
                        seconds = struct.unpack("<d", note[5][0])[0]
                        exact[name] += seconds
                        cell = on[tracks[track], "/".join(n for n, _ in open_slices[track])]
                        cell[0] += seconds
                        cell[1] += 1
            elif kind == 2:
                if not open_slices[track]:
                    raise SystemExit(f"an end without a begin on track {track} at {at} ns")
                name, begin = open_slices[track].pop()
                clock[name] += at - begin
    if any(open_slices.values()):
        raise SystemExit("a slice never ends")
    lines += [f"slices {sum(counts.values())}", f"counters {counters}", f"flows {len(flows)}"]
    lines += [f"sum {n} {exact[n]!r} {clock[n] / 1e9!r} {counts[n]}" for n in counts]
    if "--tracks" in options:
        lines += [f"on\t{t}\t{n}\t{s!r}\t{c}" for (t, n), (s, c) in on.items()]
        lines += [f"range\t{n}\t{least!r}\t{most!r}" for n, (least, most) in ranges.items()]
        lines += [f"flow\t{n}\t{len(at)}\t{min(at)[1]}" for n, at in flows.items()]
    print("\n".join(sorted(lines)))


main(*sys.argv[1:])
