"""How the servers of the measured points were started.

Facts of the launch recipes that the benchmark publishes (SemiAnalysisAI/InferenceX, Apache-2.0,
benchmarks/single_node as of 2026-03-31; earlier and later ones where a point's engine version is
of another time), and the engines' own defaults where a recipe is silent or a point is of another
source (Qwen3-235B).
"""

import dataclasses
import re


def at_least(version, *wanted):
    """Rows that name no version are of the first days: older than any that is asked for."""
    return tuple(int(n) for n in re.findall(r"\d+", version)[:len(wanted)]) >= wanted


def sglang(point):
    """Prefill first; the queue is looked at every `receive_interval` decode steps."""
    c = point.config
    settings = {"batching": "prefill_first", "max_batch": 512, "max_tokens_per_step": 8192,
                "memory_fraction": 0.9}  # mem-fraction-static leaves the activations out
    if c.model == "deepseek-v3":
        settings["max_batch"] = 512 if (point.isl, point.osl) == (1024, 1024) else 256
        settings["max_tokens_per_step"] = 16384 if c.weights == "fp4" else 32768
        if c.layout.gpus == 4 and c.weights != "fp4":
            settings.update(max_batch=32, max_tokens_per_step=8192, memory_fraction=0.97)
        if c.system == "b200_sxm" and c.layout.dp == 1:
            settings["receive_interval"] = 30 if point.concurrency >= 16 else 10
            if c.layout.gpus == 4 and c.weights != "fp4":
                settings["receive_interval"] = 10
    elif c.model == "glm-5" and c.system == "b200_sxm":
        settings["max_tokens_per_step"] = 32768
    return settings


def vllm(point):
    """8,192 tokens are the API server's default on GPUs of 70 GB and more."""
    c = point.config
    settings = {"batching": "mixed", "max_batch": 1024, "max_tokens_per_step": 8192,
                "memory_fraction": 0.95 if c.system == "h200_sxm" else 0.9}
    if c.model == "minimax-m2" and c.system == "b200_sxm" and at_least(point.version, 0, 19):
        settings["max_tokens_per_step"] = 2 * point.isl
    if point.version == "0.12.0":
        # 50 to 56 ms per token on all its training points, from 4 requests to 16: a server
        # without graphs. The host time per step that fits those six points.
        settings["step_overhead"] = "28 ms"
    return settings


def trtllm(point):
    """Prompts go whole into a step."""
    c = point.config
    tokens = max(8192, (point.concurrency + point.isl + 127) // 64 * 64)
    settings = {"batching": "mixed", "chunked_prefill": False, "max_batch": 2048,
                "max_tokens_per_step": 20000 if c.model == "gpt-oss-120b" else tokens,
                "memory_fraction": 0.95}  # 0.75 to 0.85 of what the weights leave
    if c.layout.dp > 1:  # attention_dp_config with enable_balance
        settings["rank_wait"] = 50 if c.model == "gpt-oss-120b" else 60
    elif (c.system, c.weights, point.isl, point.osl) == ("b200_sxm", "fp8_block", 1024, 1024):
        if point.concurrency >= 64:
            settings.update(batch_wait=40, batch_wait_ratio=0.8)
    return settings


ENGINES = {"sglang": sglang, "vllm": vllm, "trtllm": trtllm}


def as_launched(config, version):
    """MiniMax's first recipes ask for expert parallelism whatever EP is (EP_SIZE >= 1)."""
    layout = config.layout
    if config.model == "minimax-m2" and config.weights == "fp8_block" and (
            (config.system == "h200_sxm" and layout.gpus == 8)
            or (config.system == "b200_sxm" and version == "0.17.0")):
        layout = dataclasses.replace(layout, ep=layout.gpus, moe_tp=1)
    return dataclasses.replace(config, layout=layout)


def runs_marlin(config):
    """VLLM_MXFP4_USE_MARLIN=1 (gpt-oss on H200 under vLLM)."""
    return (config.model, config.system, config.engine) == ("gpt-oss-120b", "h200_sxm", "vllm")


def expert_kernel(point):
    """The MoE back end that the recipe asks for, where the profile's first one is another."""
    c = point.config
    if c.engine == "trtllm" and c.system == "b200_sxm":
        # In fp4 with attention DP it is CUTLASS, but the table's takes longer than whole
        # measured steps (training points): the generated kernels stand in.
        if c.weights == "fp8_block":  # DEEPGEMM until the recipes of 1.2
            return "flashinfer_trtllm" if at_least(point.version, 1, 2) else "deepgemm"
    if runs_marlin(c):
        return "wna16marlin"
    if c.model == "minimax-m2" and c.system == "b200_sxm" and point.version == "0.17.0":
        return "fused_moe"  # VLLM_USE_FLASHINFER_MOE_FP8 and VLLM_MOE_USE_DEEP_GEMM are 0
    return ""


def formats(point):
    """Number formats of a checkpoint's weights.

    Marlin multiplies mxfp4 and int4 by bf16 in one way; only with int4 was it timed at shapes
    like these.
    The fp4 checkpoints are NVIDIA's: Kimi-K2.5-NVFP4 quantises routed experts alone and
    DeepSeek-R1-0528-FP4-v2 all FFNs and attention's output projection (their model cards).
    Compressed-tensors int4 is of routed experts alone (the card of Kimi-K2.5).
    """
    c = point.config
    weights = {"weights": "int4" if runs_marlin(c) else c.weights,
               "attention_weights": c.attention_weights}
    if c.model == "kimi-k2" and c.weights in ("fp4", "int4"):
        weights.update(attention_weights="bf16", ffn_weights="bf16")
    elif c.weights == "fp4":
        weights.update(attention_weights="bf16")
        if c.model == "deepseek-v3":
            weights.update(output_weights="fp4")
    return weights


def kv_cache(point):
    """Number format of the KV cache; Kimi-K2.5-NVFP4 brings its own, fp8."""
    c = point.config
    blackwell = c.system in ("b200_sxm", "gb200")
    if c.model == "qwen3-235b-a22b" or c.weights == "int4":
        return "bf16"
    if c.model == "minimax-m2":
        return "fp8" if blackwell and at_least(point.version, 0, 19) else "bf16"
    if c.engine == "trtllm" and c.model == "deepseek-v3":
        return "fp8"
    return "fp8" if blackwell else "bf16"


def lengths(point):
    """(mean, spread) of lengths, as parts of the nominal one and of the mean.

    The benchmark draws from 0.8 to 1 (random_range_ratio). The runs of Qwen3-235B are another
    source's, whose settings are not published. On H200 the TTFT of both engines is that of
    requests that end and come together, as they do when lengths are fixed: with drawn ones
    training points come out 57 % too short (median), with fixed ones 19 %. On H100 a spread of
    2 % fits best: 24 %, against 41 % and 63 %.
    """
    if point.config.model == "qwen3-235b-a22b":
        return (1, 0) if point.config.system == "h200_sxm" else (1, 0.02)
    return 0.9, 0.1 / 0.9


def first_chunk(point):
    """Tokens that are out when the client sees the first one.

    The recipes of DeepSeek stream in intervals: of 10 tokens, on B200 under SGLang of 30. On
    training points TTFT is longer than queue and prompt by about 0.6 of them under SGLang (GLM-5
    on B200: a quarter) and by 13.5 steps under TensorRT-LLM 1.1, 4.5 from 1.2 on, whatever the
    load. Other models' first tokens are seen at once, and so are vLLM's.
    """
    c = point.config
    if c.model == "glm-5" and c.system == "b200_sxm":
        return 8
    if c.model != "deepseek-v3" or c.engine == "vllm":
        return 1
    if c.engine == "trtllm":
        return 5 if at_least(point.version, 1, 2) else 14
    return 18 if c.system == "b200_sxm" else 6


def settings(point):
    """[serving] values of a point's server; the limit of running requests is a rank's."""
    return {**ENGINES[point.config.engine](point), "first_chunk": first_chunk(point)}
