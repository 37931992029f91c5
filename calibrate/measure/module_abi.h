// The seam between the calibrator and a module that can run kernels, loaded by dlopen: plain C,
// so that the program runs where CUDA is absent and the module may come from another compiler.
// Times are seconds, sizes bytes. Texts are zero-terminated and cut to fit.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOESIM_MODULE_ABI 2
#define MOESIM_MODULE_ENTRY "moesim_module_entry"

// Equal to OpKind, Dtype, ExpertBackend and ExchangePattern (held to that in
// module_device.cpp).
enum {
  MOESIM_GEMM = 0,
  MOESIM_EXPERTS = 1,
  MOESIM_READ = 2,
  MOESIM_COPY = 3,
  MOESIM_PERMUTE = 4,
  MOESIM_COMBINE = 5,
  MOESIM_RMSNORM = 6,
  MOESIM_ROUTER_TOPK = 7,
  MOESIM_DECODE_ATTENTION = 8,
  MOESIM_GRAPH_NODE = 9,
  MOESIM_STREAM_LAUNCH = 10,
  MOESIM_ALL_TO_ALL = 11
};
enum { MOESIM_BF16 = 1, MOESIM_FP8 = 2, MOESIM_FP8_BLOCK = 3, MOESIM_INT8 = 4 };
enum {
  MOESIM_STRIDED_BATCH = 0,
  MOESIM_MULTI_STREAM = 1,
  MOESIM_GROUPED_BATCHED = 2,
  MOESIM_LT_GROUPED = 3
};
enum { MOESIM_UNIFORM = 0, MOESIM_INCAST = 3, MOESIM_PAIRS = 4, MOESIM_SKEWED = 5 };

// One operation; which fields count depends on `kind` (see operation.hpp).
typedef struct moesim_op {
  int32_t kind;
  int32_t dtype;
  int32_t backend;
  int32_t pattern;
  int64_t m, n, k;
  int64_t tokens, hidden, intermediate, experts, top_k;
  int64_t batch, kv_tokens, heads, kv_heads, head_dim;
  int64_t bytes;
  int64_t ranks;
  const int64_t* counts;  // assignments per expert, `experts` of them; null but for experts
} moesim_op;

typedef struct moesim_facts {
  char name[128];              // "NVIDIA H200"
  char versions[256];          // "driver 580.1, CUDA 13.0, cuBLAS 13.1.0, NCCL 2.27.7"
  char library[64];            // "cublas-13.1.0"
  int32_t gpus;                // on this machine
  int32_t compute_capability;  // 90
  int32_t has_nvml;
  int32_t has_nccl;
  double memory_bytes;
  double l2_bytes;
  double memory_bandwidth;  // bytes/s, from clock and bus width; for planning only
  double bf16_flops;        // flops/s, dense, from clock and multiprocessors; planning only
} moesim_facts;

typedef struct moesim_conditions {
  double sm_mhz;
  double memory_mhz;
  double temperature_c;
  double power_w;
  uint64_t throttle_reasons;  // nvmlClocksThrottleReasons bits; 0: none
  int32_t known;              // 0: NVML is absent, nothing above is meant
} moesim_conditions;

// REFUSED: this GPU or library cannot. FAILED: this operation went wrong; the GPU answers,
// others may go on. LOST: the GPU takes no more work from this process (a fault on it stays).
enum { MOESIM_OK = 0, MOESIM_REFUSED = 1, MOESIM_FAILED = 2, MOESIM_LOST = 3 };

// Every call but `close` returns one of the above; `why` (of `why_size` bytes) says what and
// where unless it is MOESIM_OK.
typedef struct moesim_module {
  int32_t abi;
  int (*open)(int32_t ordinal, void** device, char* why, size_t why_size);
  void (*close)(void* device);
  int (*facts)(void* device, moesim_facts* facts, char* why, size_t why_size);
  // Allocates, fills with random data, captures and warms up; replaces what was prepared.
  // `kernel` (64 bytes) gets the name the points are filed under.
  int (*prepare)(void* device, const moesim_op* op, char* kernel, char* why, size_t why_size);
  // `count` timings of the prepared operation, seconds each.
  int (*sample)(void* device, int32_t count, double* seconds, char* why, size_t why_size);
  int (*conditions)(void* device, moesim_conditions* conditions, char* why, size_t why_size);
  // Repeats the prepared operation for about `loop` seconds: joules and seconds of the loop,
  // and how often it ran.
  int (*energy)(void* device, double loop, double* joules, double* seconds, double* runs,
                char* why, size_t why_size);
  // Runs the operation once and compares it with a computation on the host. `error` is the
  // largest difference over the scale of the result, `tolerance` what the format allows.
  int (*verify)(void* device, const moesim_op* op, double* error, double* tolerance, char* why,
                size_t why_size);
} moesim_module;

typedef const moesim_module* (*moesim_module_entry_fn)(void);

#ifdef __cplusplus
}
#endif
