"""Which of two layouts is faster? Measured pairs of aws_deepseek_ep_vs_tp_dev.csv, replayed.

DeepSeek-R1 on two nodes of 8 x H200, one engine of 16 GPUs, one attention rank. In the file's
"DeepEP" rows each GPU sends its part of the tokens to their experts by DeepEP's low-latency
kernels. Single runs: measured differences below 5 % (the authors' own spread) are ties.
"""

import collections
import csv
import itertools

from .replay import deepseek_scenario

TIE = 0.05
LAYOUTS = {  # moe_backend -> (tp, dp, ep, further [serving] values)
    "pureTP": (16, 1, 1, {}),
    "baseline EP (NCCL)": (16, 1, 16, {}),
    "DeepEP": (16, 1, 16, {"transport": "low_latency"}),
}


def measured(path):
    """{concurrency: {backend: TPOT in s}} of the colocated decode runs."""
    runs = collections.defaultdict(dict)
    with open(path, newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            if "colocated" in row["study"] and row["phase"] == "decode" and row["tpot_ms"]:
                runs[int(row["concurrency"])][row["moe_backend"]] = float(row["tpot_ms"]) / 1e3
    return dict(sorted(runs.items()))


def sign(a, b):
    """-1: a is faster; 0: a tie."""
    return 0 if abs(a / b - 1) < TIE else (-1 if a < b else 1)


def print_order(path, replayer):
    """Prints both times and, for each pair, whether the program has the measured order."""
    right = collections.Counter()
    for concurrency, tpot in measured(path).items():
        got = {}
        for backend in tpot:
            text = deepseek_scenario(concurrency, *LAYOUTS[backend])
            result = replayer.kept(text, "h200-sxm/sglang", concurrency)
            if "error" in result:
                print(f"c{concurrency} {backend}: {result['error']}")
                continue
            got[backend] = result["tpot"]
            print(f"c{concurrency:<4} {backend:20} measured {tpot[backend] * 1e3:6.1f} ms, "
                  f"predicted {result['tpot'] * 1e3:6.1f} ms")
        for a, b in itertools.combinations(got, 2):
            truth, ours = sign(tpot[a], tpot[b]), sign(got[a], got[b])
            kind = "DeepEP" if "DeepEP" in (a, b) else "EP against TP"
            verdict = "tie" if truth == 0 else "right" if truth == ours else "wrong"
            right[kind, verdict] += 1
            print(f"      {a} against {b}: measured {tpot[a] / tpot[b]:.2f}, "
                  f"predicted {got[a] / got[b]:.2f}: {verdict}")
    for kind in ("EP against TP", "DeepEP"):
        print(f"{kind}: {right[kind, 'right']} of "
              f"{right[kind, 'right'] + right[kind, 'wrong']} orders right, "
              f"{right[kind, 'tie']} measured ties")
