"""Measured serving points: reading, and what moesim needs to replay one.

A point is one configuration of one engine version at one load; repeated measurements are one
point (medians).
Every row that cannot be replayed is returned with the reason, never dropped in silence.
"""

import collections
import csv
import dataclasses
import hashlib
import statistics

from . import launches, recipes

MODELS = {  # model_path's last part -> preset; point releases share the shape of their line
    "DeepSeek-R1": "deepseek-v3",
    "DeepSeek-V3": "deepseek-v3",
    "DeepSeek-R1-NVFP4": "deepseek-v3",
    "DeepSeek-V3.1-NVFP4": "deepseek-v3",
    "GLM-5": "glm-5",
    "Kimi-K2.5": "kimi-k2",
    "MiniMax-M2.5": "minimax-m2",
    "Qwen3-235B-A22B-FP8": "qwen3-235b-a22b",
    "gpt-oss-120b": "gpt-oss-120b",
}
SYSTEMS = {  # system -> (system preset, profile folder, GPUs per node)
    "h100_sxm": ("hgx-h100", "h100-sxm", 8),
    "h200_sxm": ("hgx-h200", "h200-sxm", 8),
    "b200_sxm": ("hgx-b200", "b200-sxm", 8),
    "gb200": ("gb200-nvl72", "gb200", 4),
}
# Checkpoints in "fp8" of these models have 128 x 128 block scales, whatever the row says.
FORMATS = {"fp8": "fp8_block", "fp8_block": "fp8_block", "nvfp4": "fp4", "int4_wo": "int4",
           "": "bf16"}
HEADS = {"deepseek-v3": 128, "glm-5": 64, "kimi-k2": 64, "minimax-m2": 48,
         "qwen3-235b-a22b": 64, "gpt-oss-120b": 64}
# One configuration measured twice, the second this many times faster: it drafted tokens (MTP),
# which no column tells.
SPECULATION = 1.3
# The same where a search space with drafting is known beside one without.
FASTER = 1.15
DRAFTS = ("deepseek-v3", "glm-5")  # models with a drafting head


@dataclasses.dataclass(frozen=True)
class Layout:
    """GPUs per attention rank, attention ranks, expert ranks, GPUs per expert."""
    tp: int
    dp: int
    ep: int
    moe_tp: int

    @property
    def gpus(self):
        return self.tp * self.dp

    def __str__(self):
        return f"tp{self.tp} dp{self.dp} ep{self.ep}"


@dataclasses.dataclass(frozen=True)
class Config:
    """What is split into training and held-out parts as a whole."""
    model: str
    system: str
    engine: str
    weights: str
    attention_weights: str
    layout: Layout
    # Of the training part by the layout that some row of it was published with.
    training: bool = dataclasses.field(default=False, compare=False, repr=False)

    @property
    def held_out(self):
        """Rows whose layout was corrected may leave the held-out part, never enter it."""
        if self.training:
            return False
        # Without tp and dp: of two layouts with the same EP, one may be the other mislabelled.
        # As published, so that a choice of kernel moves nothing from one part to the other.
        published = "mxfp4" if self.weights == "w4a8" else self.weights
        key = (self.model, self.system, self.engine, published, self.layout.gpus,
               self.layout.ep)
        return hashlib.sha256("|".join(map(str, key)).encode()).digest()[0] % 2 == 1

    def __str__(self):
        return f"{self.model} {self.system} {self.engine} {self.weights} {self.layout}"


@dataclasses.dataclass(frozen=True)
class Point:
    config: Config
    isl: int
    osl: int
    concurrency: int
    ttft: float  # s, median
    tpot: float  # s, median
    version: str = ""  # of the engine

    @property
    def mode(self):
        return "dp attention" if self.config.layout.dp > 1 else "tp attention"


def number(text):
    return int(float(text)) if text else 0


def layout_of(tp, dp, moe_tp, moe_ep):
    """The columns hold three spellings of the same layouts.

    Rows of one source repeat the GPU count n in two columns (tp 64 = 8 x 8 with moe 8 x 8, or
    dp 64): the twin rows of other sources, with the same medians, say tp8 ep8 and dp8 ep8.
    """
    n = moe_ep
    if moe_tp == n > 1 and tp == n * n and dp <= 1:
        return Layout(n, 1, n, 1)
    if moe_tp == n > 1 and dp == n * n and tp == 1:
        return Layout(1, n, n, 1)
    if tp == dp > 1 and moe_tp == 1 and moe_ep == tp * tp:
        return Layout(1, tp, tp, 1)
    gpus = moe_tp * moe_ep
    dp = dp or max(1, gpus // tp)
    if tp * dp != gpus:
        return None
    return Layout(tp, dp, moe_ep, moe_tp)


def config_of(row):
    """(config, reason why there is none)."""
    name = row["model_path"].split("/")[-1]
    if name not in MODELS:
        return None, f"no preset of {name}"
    if row["system"] not in SYSTEMS:
        return None, f"no profile of {row['system']}"
    layout = layout_of(*(number(row[k]) for k in ("tp_size", "attention_dp_size", "moe_tp_size",
                                                  "moe_ep_size")))
    model = MODELS[name]
    if layout is None:
        return None, "attention and expert GPUs differ"
    if HEADS[model] % layout.tp:
        return None, "tp does not divide the heads: columns of a disaggregated run"
    weights = FORMATS[row["moe_quant_mode"]]
    attention = FORMATS[row["gemm_quant_mode"]]
    if model == "gpt-oss-120b":  # published in mxfp4 with bf16 attention alone
        weights, attention = "mxfp4", "bf16"
        if row["system"] in ("b200_sxm", "gb200"):
            weights = "w4a8"  # Blackwell multiplies mxfp4 by mxfp8; the w4a16 path is Hopper's
    if weights == "int4":  # compressed-tensors leaves attention in bf16
        attention = "bf16"
    return Config(model, row["system"], row["backend"], weights, attention, layout), ""


def corrected(config, isl, osl, concurrency, row):
    """What launches.py says of the row, with the config as it was launched."""
    version = row["backend_version"]
    found = launches.checked(
        config, launches.launches_of(config, isl, osl, concurrency, version, row["measured"]),
        version)
    launched = recipes.as_launched(found.config, found.version)
    return dataclasses.replace(
        found, config=dataclasses.replace(launched, training=not config.held_out))


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def speculative_rows(groups):
    """Ids of rows suspected of drafting tokens: of a run (model, GPU, engine version, format)
    where at least half of the points that were measured twice were far faster than their twin."""
    def run(row):
        return tuple(row[k] for k in ("model_path", "system", "backend", "backend_version",
                                      "moe_quant_mode"))
    twins, fast = collections.Counter(), collections.Counter()
    for (config, *_), rows in groups.items():
        if config.model not in DRAFTS or len(rows) < 2:
            continue
        slowest = max(float(r["silicon_tpot_ms"]) for r in rows)
        for r in rows:
            twins[run(r)] += 1
            fast[run(r)] += slowest > SPECULATION * float(r["silicon_tpot_ms"])
    suspects = {name for name in fast if fast[name] and fast[name] >= 0.5 * twins[name]}
    return {r["id"] for rows in groups.values() for r in rows if run(r) in suspects}


def faster_than_plain(groups, may_draft):
    """Ids of rows that may have drafted tokens and, in some group of their run (a configuration
    of one version), were faster than a server that was launched without."""
    fast_runs = set()
    for (config, *_, version), rows in groups.items():
        plain = [float(r["silicon_tpot_ms"]) for r in rows if r["id"] not in may_draft]
        fast = [float(r["silicon_tpot_ms"]) for r in rows if r["id"] in may_draft]
        if plain and fast and min(fast) * FASTER < min(plain):
            fast_runs.add((config, version))
    return {r["id"] for (config, *_, version), rows in groups.items()
            if (config, version) in fast_runs for r in rows if r["id"] in may_draft}


def in_one_part(groups):
    """A configuration that any row puts into the training part is there as a whole."""
    training = {config for (config, *_), rows in groups.items()
                if any(r["training"] for r in rows)}
    return {(dataclasses.replace(config, training=config in training), *rest): rows
            for (config, *rest), rows in groups.items()}


def read_points(path):
    """(points, Counter of reasons -> rows that cannot be replayed)."""
    groups = collections.defaultdict(list)
    left_out = collections.Counter()
    may_draft = set()  # ids
    for row in read_rows(path):
        if row["mode"] != "agg":
            left_out["disaggregated"] += 1
            continue
        if row["system"] == "gb200" and row["silicon_data_source"].startswith("source_file=20"):
            # The benchmark has no recipe for one server on GB200, only for pools.
            left_out["disaggregated, though called aggregated"] += 1
            continue
        config, reason = config_of(row)
        if config is None:
            left_out[reason] += 1
            continue
        if not number(row["concurrency"]):
            left_out["no concurrency"] += 1
            continue
        isl, osl, concurrency = int(row["isl"]), int(row["osl"]), number(row["concurrency"])
        found = corrected(config, isl, osl, concurrency, row)
        if found.reason:
            left_out[found.reason] += 1
            continue
        row["training"] = found.config.training
        groups[(found.config, isl, osl, concurrency, found.version)].append(row)
        if found.may_draft:
            may_draft.add(row["id"])
    groups = in_one_part(groups)
    fast = speculative_rows(groups) | faster_than_plain(groups, may_draft)
    points = []
    for (config, isl, osl, concurrency, version), rows in groups.items():
        plain = [r for r in rows if r["id"] not in fast]
        left_out["drafted tokens (MTP) suspected"] += len(rows) - len(plain)
        if not plain:
            continue
        points.append(Point(config, isl, osl, concurrency,
                            statistics.median(float(r["silicon_ttft_ms"]) for r in plain) / 1e3,
                            statistics.median(float(r["silicon_tpot_ms"]) for r in plain) / 1e3,
                            version))
    return sorted(points, key=str), left_out
