"""Replays points through the program; results are cached by scenario and program."""

import csv
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

from . import recipes
from .points import SYSTEMS

ROUTER = {"deepseek-v3": "deepseek-v3"}  # others have no measured skew of their own


def lengths(point, nominal):
    mean, spread = recipes.lengths(point)
    if spread == 0:
        return f'{{ distribution = "fixed", mean = {round(mean * nominal)} }}'
    return (f'{{ distribution = "uniform", mean = {round(mean * nominal)}, '
            f'spread = {spread:.4f} }}')


def scenario_of(point, waves, settings):
    """TOML of a closed loop; `waves` is requests / concurrency. The harness sends 10, the first
    all at once, and counts them all."""
    config = point.config
    system, profile, node_gpus = SYSTEMS[config.system]
    layout = config.layout
    nodes = max(1, layout.gpus // node_gpus)
    gpus = min(layout.gpus, node_gpus)
    serving = recipes.settings(point)
    serving.update(settings)
    serving.update(tp=layout.tp, dp=layout.dp, ep=layout.ep)
    serving["warmup"] = 0.0
    lines = [
        f'name = "{config.model} {config.engine} {point.isl}/{point.osl} c{point.concurrency}"',
        f"requests = {max(point.concurrency + 1, round(waves * point.concurrency))}",
        "[model]",
        f'preset = "{config.model}"',
        *(f'{key} = "{dtype}"' for key, dtype in recipes.formats(point).items()),
        f'kv_cache = "{recipes.kv_cache(point)}"',
        "[cluster]",
        f'preset = "{system}"',
        f"nodes = {nodes}",
        f"node = {{ gpus = {gpus}, nics = {gpus} }}",
        *([f"nodes_per_domain = {nodes}"] if config.system == "gb200" else []),
        "[calibration]",
        f'profile = "{profile}/{config.engine}"',
        *([f'expert_kernel = "{kernel}"'] if (kernel := recipes.expert_kernel(point)) else []),
        "[router]",
        f'skew = "{ROUTER.get(config.model, "deepseek-v3")}"',
        "[serving]",
        *(f"{k} = {json.dumps(v)}" for k, v in sorted(serving.items())),
        "[traffic]",
        f'arrivals = {{ process = "closed_loop", concurrency = {point.concurrency} }}',
        f"input_tokens = {lengths(point, point.isl)}",
        f"output_tokens = {lengths(point, point.osl)}",
    ]
    return "\n".join(lines) + "\n"


def deepseek_scenario(concurrency, tp, dp, ep, serving):
    """Decode runs on two nodes of 8 x H200 under SGLang: 256 tokens in, 512 out."""
    values = {"batching": "prefill_first", "max_tokens_per_step": 8192, "tp": tp, "dp": dp, "ep": ep,
              "max_batch": max(256, concurrency // dp), **serving}
    return "\n".join([
        f'name = "DeepSeek-R1 tp{tp} dp{dp} ep{ep} c{concurrency}"',
        f"requests = {2 * concurrency}",
        "[model]", 'preset = "deepseek-v3"', 'weights = "fp8_block"',
        'attention_weights = "fp8_block"',
        "[cluster]", 'preset = "hgx-h200"', "nodes = 2",
        "[calibration]", 'profile = "h200-sxm/sglang"',
        "[router]", 'skew = "deepseek-v3"',
        "[serving]", *(f"{k} = {json.dumps(v)}" for k, v in sorted(values.items())),
        "[traffic]",
        f'arrivals = {{ process = "closed_loop", concurrency = {concurrency} }}',
        'input_tokens = { distribution = "fixed", mean = 256 }',
        'output_tokens = { distribution = "fixed", mean = 512 }']) + "\n"


def quantile(values, q):
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def mean_of_waves(rows, column, concurrency):
    """The mean over ten waves, of a replay of any number from 3 on.

    One wave in ten is the first, which queues behind itself; one is the last, after whose
    prompts none come: those two count as tenths, whatever part of the replay they are.
    """
    values = [float(r[column]) for r in rows]
    first, between, last = (values[:concurrency], values[concurrency:-concurrency],
                            values[-concurrency:])
    if not between:
        return statistics.fmean(values)
    return (0.1 * statistics.fmean(first) + 0.8 * statistics.fmean(between)
            + 0.1 * statistics.fmean(last))


class Replayer:
    def __init__(self, program, cache, waves, settings=None, requests=0, timeout=500):
        self.program = program
        self.cache = pathlib.Path(cache)
        self.cache.mkdir(parents=True, exist_ok=True)
        self.waves = waves
        self.requests = requests
        self.settings = settings or {}
        self.timeout = timeout
        self.build = hashlib.sha256(pathlib.Path(program).read_bytes()).hexdigest()

    def too_long(self):
        return f"over {self.timeout} s"

    def waves_of(self, point):
        """Fewer where that would be more than `requests`, but 3: one first, one last, and one
        between."""
        if not self.requests:
            return self.waves
        return min(self.waves, max(3, round(self.requests / point.concurrency)))

    def key(self, text, profile):
        root = pathlib.Path(__file__).resolve().parents[3]
        h = hashlib.sha256((self.build + text + "waves").encode())
        for ending in ("toml", "csv"):
            h.update((root / "calibrate/profiles" / f"{profile}.{ending}").read_bytes())
        return h.hexdigest()[:24]

    def replay(self, point):
        """{"ttft": s, "tpot": s, "step": s} or {"error": text}."""
        _, profile, _ = SYSTEMS[point.config.system]
        return self.kept(scenario_of(point, self.waves_of(point), self.settings),
                         f"{profile}/{point.config.engine}", point.concurrency)

    def kept(self, text, profile, concurrency):
        """The result of a scenario, from the cache where it has been run before."""
        kept = self.cache / (self.key(text, profile) + ".json")
        if kept.exists():
            return json.loads(kept.read_text())
        result = self.run(text, concurrency)
        if result.get("error") == self.too_long():  # of a busy machine, not of the scenario
            return result
        part = kept.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(result))
        part.rename(kept)
        return result

    def run(self, text, concurrency):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "point.toml"
            file.write_text(text)
            try:
                done = subprocess.run([self.program, "run", str(file), "-o", folder + "/out",
                                       "--format", "json"], capture_output=True, text=True,
                                      timeout=self.timeout, check=False)
            except subprocess.TimeoutExpired:
                return {"error": self.too_long()}
            if done.returncode != 0:
                lines = [x for x in done.stderr.splitlines() if "error:" in x]
                return {"error": (lines or ["exit " + str(done.returncode)])[0].strip()}
            with open(folder + "/out/requests.csv", newline="") as out:
                rows = [r for r in csv.DictReader(out) if r["state"] == "finished"]
        return {"ttft": mean_of_waves(rows, "ttft_s", concurrency),
                "tpot": mean_of_waves(rows, "tpot_s", concurrency),
                "p99": {k: quantile([float(r[k]) for r in rows], 0.99)
                        for k in ("ttft_s", "tpot_s")},
                "step": json.loads(done.stdout)["metrics"]["step_time"]["mean"]}
