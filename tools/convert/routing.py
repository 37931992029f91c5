#!/usr/bin/env python3
"""Turns what engines record about expert routing into the traces that moesim reads.

    tools/convert/routing.py LAYOUT FILE... > load.csv | tokens.jsonl | map.json

Layouts:
  sglang-stat    expert distribution recorder, mode stat: logical_count per (step,) layer, expert
                 -> load.csv
  sglang-pass    mode per_pass: records with global_physical_count per layer -> load.csv
  sglang-token   mode per_token: records with topk_ids_of_layer, rids, positions -> tokens.jsonl
  vllm-routed    routed_experts of requests, [tokens][layers][top_k], one list per request (JSON)
                 -> tokens.jsonl
  vllm-eplb      expert load: steps of [layers][experts] (JSON, or .npy) -> load.csv
  ascend-map     vllm-ascend expert map (JSON) -> placement map: physical_to_logical_map
  trtllm-stat    expert statistics: one or more rank*.safetensors with tensors "STEP_LAYER"
                 -> load.csv

Files may be JSON, .npy, .safetensors or .pt as torch.save writes them (read without torch: only
plain data and tensors, nothing in a file is ever executed). --map FILE gives the
physical_to_logical_map where counts are of physical experts and the file has none.

MoE layers are numbered from 0 in the order they come. stdout is the result, stderr says what was
left out; nothing is written if anything is wrong. Exit 0 done, 2 wrong input.
"""

import argparse
import io
import json
import pickle
import struct
import sys
import zipfile


class WrongInput(Exception):
    """The file is not of the layout; the text says where."""


# --- files ---

KINDS = {  # name in any of the formats -> struct's letter
    "LongStorage": "q", "IntStorage": "i", "ShortStorage": "h", "CharStorage": "b",
    "ByteStorage": "B", "FloatStorage": "f", "DoubleStorage": "d", "BoolStorage": "?",
    "I64": "q", "I32": "i", "I16": "h", "I8": "b", "U8": "B", "F32": "f", "F64": "d", "BOOL": "?",
    "i8": "q", "i4": "i", "i2": "h", "i1": "b", "u1": "B", "f4": "f", "f8": "d", "b1": "?",
}


def letter(name):
    if name not in KINDS:
        raise WrongInput(f"numbers of kind {name} are not read")
    return KINDS[name]


def numbers(data, kind):
    size = struct.calcsize("<" + kind)
    return struct.unpack(f"<{len(data) // size}{kind}", data[:len(data) // size * size])


def shaped(flat, shape):
    """Nested lists of this shape."""
    if not shape:
        return flat[0]
    if len(shape) == 1:
        return list(flat[:shape[0]])
    step = len(flat) // shape[0] if shape[0] else 0
    return [shaped(flat[i * step:(i + 1) * step], shape[1:]) for i in range(shape[0])]


class Tensors(pickle.Unpickler):
    """Plain data and tensors of a torch file; any other class is refused."""

    def __init__(self, archive, folder):
        super().__init__(io.BytesIO(archive.read(f"{folder}/data.pkl")))
        self.archive, self.folder = archive, folder

    def find_class(self, module, name):
        if name.endswith("Storage") and module.startswith("torch"):
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self.tensor
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        raise WrongInput(f"{module}.{name} inside a .pt file is not read")

    def persistent_load(self, key):
        _, storage, number, *_ = key
        return numbers(self.archive.read(f"{self.folder}/data/{number}"), letter(storage))

    @staticmethod
    def tensor(storage, offset, size, stride, *_):
        if not size:
            return storage[offset]

        def part(at, depth):
            if depth == len(size):
                return storage[at]
            return [part(at + i * stride[depth], depth + 1) for i in range(size[depth])]

        return part(offset, 0)


def read_torch(path):
    with zipfile.ZipFile(path) as archive:
        inside = [n for n in archive.namelist() if n.endswith("/data.pkl")]
        if len(inside) != 1:
            raise WrongInput(f"{path}: not a file of torch.save")
        return Tensors(archive, inside[0].rsplit("/", 1)[0]).load()


def read_npy(data, path):
    major = data[6]
    size = struct.unpack("<H", data[8:10])[0] if major == 1 else struct.unpack("<I", data[8:12])[0]
    start = 10 if major == 1 else 12
    text = data[start:start + size].decode("latin1")
    if "'fortran_order': True" in text or "'descr': '>" in text:
        raise WrongInput(f"{path}: only little-endian arrays in C order are read")
    descr = text.split("'descr':")[1].split("'")[1]
    shape = [int(n) for n in text.split("(")[1].split(")")[0].split(",") if n.strip()]
    return shaped(numbers(data[start + size:], letter(descr[1:])), shape)


def read_safetensors(data, path):
    if len(data) < 8:
        raise WrongInput(f"{path}: cut off")
    size = struct.unpack("<Q", data[:8])[0]
    if 8 + size > len(data):
        raise WrongInput(f"{path}: cut off inside its header")
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, what in header.items():
        if name == "__metadata__":
            continue
        begin, end = what["data_offsets"]
        if 8 + size + end > len(data):
            raise WrongInput(f"{path}: cut off inside tensor {name}")
        flat = numbers(data[8 + size + begin:8 + size + end], letter(what["dtype"]))
        tensors[name] = shaped(flat, what["shape"])
    return tensors


def read_any(path):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as problem:
        raise WrongInput(f"{path}: {problem.strerror}") from problem
    try:
        if data[:2] == b"\x1f\x8b":
            raise WrongInput(f"{path} is compressed: gunzip it first")
        if data[:6] == b"\x93NUMPY":
            return read_npy(data, path)
        if path.endswith(".safetensors"):
            return read_safetensors(data, path)
        if data[:2] == b"PK":
            return read_torch(path)
        return json.loads(data)
    except json.JSONDecodeError as problem:
        raise WrongInput(f"{path}:{problem.lineno}: {problem.msg}") from problem
    except (ValueError, KeyError, IndexError, struct.error, zipfile.BadZipFile,
            pickle.UnpicklingError) as problem:
        raise WrongInput(f"{path}: damaged or of another layout ({problem})") from problem


# --- layouts ---


def entry(table, key, where):
    if not isinstance(table, dict) or key not in table:
        raise WrongInput(f"{where} has no '{key}'")
    return table[key]


def depth(value):
    return 1 + depth(value[0]) if isinstance(value, list) and value else 0


def whole(value, where):
    if isinstance(value, bool) or int(value) != value or value < 0:
        raise WrongInput(f"{where} is {value}, not a whole number of 0 or more")
    return int(value)


def load_lines(steps, out):
    """steps: (number, [layers][experts])."""
    width = None
    for step, layers in steps:
        if width is None:
            width = (len(layers), len(layers[0]))
        for layer, row in enumerate(layers):
            if (len(layers), len(row)) != width:
                raise WrongInput(f"step {step}, layer {layer}: {len(layers)} x {len(row)}, "
                                 f"the first step has {width[0]} x {width[1]}")
            for expert, count in enumerate(row):
                count = whole(count, f"step {step}, layer {layer}, expert {expert}")
                if count:
                    out.append(f"{step},{layer},{expert},{count}")


def logical(layers, mapping, where):
    """Counts of physical experts, added up over each logical expert's replicas."""
    if mapping is None:
        raise WrongInput(f"{where} counts physical experts: --map FILE is needed")
    if len(mapping) != len(layers):
        raise WrongInput(f"{where} has {len(layers)} layers, the map {len(mapping)}")
    result = []
    for layer, row in enumerate(layers):
        if len(row) != len(mapping[layer]):
            raise WrongInput(f"{where}, layer {layer}: {len(row)} experts, "
                             f"the map has {len(mapping[layer])}")
        sums = [0] * (max(mapping[layer]) + 1)
        for slot, count in enumerate(row):
            sums[mapping[layer][slot]] += count
        result.append(sums)
    return result


HEADER = "step,layer,expert,count"


def sglang_stat(files, _):
    out = [HEADER]
    step = 0
    for path, content in files:
        counts = entry(content, "logical_count", path)
        for layers in counts if depth(counts) == 3 else [counts]:
            load_lines([(step, layers)], out)
            step += 1
    return out


def sglang_pass(files, mapping):
    totals = {}  # a pass is recorded once per rank
    for path, content in files:
        own = mapping or content.get("last_physical_to_logical_map")
        for i, record in enumerate(entry(content, "records", path)):
            where = f"{path}, record {i}"
            step = whole(entry(record, "forward_pass_id", where), where)
            layers = logical(entry(record, "global_physical_count", where), own, where)
            if step in totals and totals[step] != layers:
                raise WrongInput(f"{where}: pass {step} was recorded with other counts before")
            totals[step] = layers
    out = [HEADER]
    load_lines(sorted(totals.items()), out)
    return out


def token_line(layer, source, experts, request, position):
    return json.dumps({"layer": layer, "source": source, "experts": sorted(experts),
                       "request": request, "position": position}, separators=(",", ":"))


def sglang_token(files, mapping):
    out = []
    for path, content in files:
        own = mapping or content.get("last_physical_to_logical_map")
        for i, record in enumerate(entry(content, "records", path)):
            where = f"{path}, record {i}"
            source = whole(record.get("rank", 0), where)
            step = record.get("forward_pass_id", i)
            layers = entry(record, "topk_ids_of_layer", where)
            tokens = len(layers[0])
            positions = record.get("positions", list(range(tokens)))
            lengths = record.get("extend_seq_lens") or [1] * len(record.get("rids", []))
            names = [rid for rid, n in zip(record.get("rids", []), lengths) for _ in range(n)]
            for layer, rows in enumerate(layers):
                for token, experts in enumerate(rows[:len(positions)]):
                    if min(experts) < 0:
                        continue  # padding
                    if own is not None:
                        experts = [own[layer][e] for e in experts]
                    known = len(names) > token
                    request = names[token] if known else f"pass {step} rank {source}"
                    position = positions[token] if known else token
                    out.append(token_line(layer, source, experts, request, position))
    return out


def vllm_routed(files, _):
    out = []
    for path, content in files:
        requests = content if isinstance(content, list) else entry(content, "requests", path)
        for number, request in enumerate(requests):
            named = isinstance(request, dict)
            name = request.get("request_id", number) if named else number
            tokens = request["routed_experts"] if named else request
            if depth(tokens) != 3:
                raise WrongInput(f"{path}, request {name}: not [tokens][layers][top_k]")
            for position, layers in enumerate(tokens):
                for layer, experts in enumerate(layers):
                    out.append(token_line(layer, 0, experts, f"{path}:{name}", position))
    return out


def vllm_eplb(files, mapping):
    out = [HEADER]
    step = 0
    for path, content in files:
        loads = entry(content, "expert_load", path) if isinstance(content, dict) else content
        own = mapping or (content.get("physical_to_logical_map")
                          if isinstance(content, dict) else None)
        for layers in loads if depth(loads) == 3 else [loads]:
            if own is not None:
                layers = logical(layers, own, path)
            load_lines([(step, layers)], out)
            step += 1
    return out


def ascend_map(files, _):
    if len(files) != 1:
        raise WrongInput("one expert map at a time")
    path, content = files[0]
    layers = sorted(entry(content, "layer_list", path), key=lambda l: l["layer_id"])
    result = []
    for layer in layers:
        devices = sorted(layer["device_list"], key=lambda d: d["device_id"])
        result.append([whole(e, f"{path}, layer {layer['layer_id']}")
                       for device in devices for e in device["device_expert"]])
    return [json.dumps({"physical_to_logical_map": result})]


def trtllm_stat(files, _):
    steps = {}
    for path, tensors in files:
        for name, row in tensors.items():
            parts = name.split("_")
            if len(parts) != 2 or not all(p.isdigit() for p in parts):
                raise WrongInput(f"{path}: tensor '{name}' is not named STEP_LAYER")
            step, layer = map(int, parts)
            rows = steps.setdefault(step, {})
            # Ranks count their own tokens: they add up.
            rows[layer] = [a + b for a, b in zip(rows[layer], row)] if layer in rows else row
    if not steps:
        raise WrongInput("no tensors")
    names = sorted({layer for rows in steps.values() for layer in rows})
    for step, rows in steps.items():
        if sorted(rows) != names:
            raise WrongInput(f"step {step} lacks layers {sorted(set(names) - set(rows))}")
    out = [HEADER]
    load_lines([(step, [rows[n] for n in names]) for step, rows in sorted(steps.items())], out)
    return out


LAYOUTS = {"sglang-stat": sglang_stat, "sglang-pass": sglang_pass, "sglang-token": sglang_token,
           "vllm-routed": vllm_routed, "vllm-eplb": vllm_eplb, "ascend-map": ascend_map,
           "trtllm-stat": trtllm_stat}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--map", help="a JSON with physical_to_logical_map")
    arguments = parser.parse_args()
    try:
        mapping = None
        if arguments.map:
            mapping = entry(read_any(arguments.map), "physical_to_logical_map", arguments.map)
        files = [(path, read_any(path)) for path in arguments.files]
        lines = LAYOUTS[arguments.layout](files, mapping)
    except WrongInput as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except (TypeError, KeyError, IndexError, AttributeError) as problem:
        print(f"error: the file is not laid out as {arguments.layout} ({problem!r})",
              file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
