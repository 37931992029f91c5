// All-to-all by NCCL sends and receives: one thread and one communicator per GPU of this
// machine, the time of the slowest rank. With one GPU: what the library's call costs, no link.
#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>

#include "calibrate/cuda/nccl.h"
#include "calibrate/cuda/work.h"

namespace moesim_cuda {

// One per GPU of this machine, of one process; kept for all operations of a session.
struct Communicators {
  explicit Communicators(int count) : nccl(Nccl::open()), of_rank(std::size_t(count), nullptr) {
    if (nccl == nullptr) throw Refusal("libnccl.so.2 was not found");
    std::vector<int> devices(of_rank.size());
    std::iota(devices.begin(), devices.end(), 0);
    nccl->check(nccl->comm_init_all(of_rank.data(), count, devices.data()),
                "starting communicators");
  }
  ~Communicators() {
    for (NcclComm comm : of_rank) {
      if (comm != nullptr) nccl->comm_destroy(comm);
    }
  }
  Communicators(const Communicators&) = delete;
  Communicators& operator=(const Communicators&) = delete;

  // Ends every rank's exchange, so that none waits for one that failed. Any thread, any number
  // of times; none can be used afterwards.
  void abort() {
    const std::lock_guard lock(aborting_);
    for (NcclComm& comm : of_rank) {
      if (comm != nullptr) nccl->comm_abort(comm);
      comm = nullptr;
    }
    broken = true;
  }

  std::unique_ptr<Nccl> nccl;
  std::vector<NcclComm> of_rank;
  bool broken = false;

 private:
  std::mutex aborting_;
};

namespace {

std::size_t size(std::int64_t x) { return static_cast<std::size_t>(x); }

// Bytes from each rank to each, row by row. `bytes` is what the busiest sender sends.
std::vector<std::size_t> traffic(int pattern, int ranks, std::size_t bytes) {
  const std::size_t n = static_cast<std::size_t>(ranks);
  std::vector<std::size_t> matrix(n * n, 0);
  double harmonic = 0;
  for (int d = 0; d < ranks; ++d) harmonic += 1.0 / (d + 1);
  for (std::size_t from = 0; from < n; ++from) {
    for (std::size_t to = 0; to < n; ++to) {
      std::size_t& cell = matrix[from * n + to];
      if (pattern == MOESIM_UNIFORM) cell = bytes / n;
      if (pattern == MOESIM_INCAST && to == 0 && from != 0) cell = bytes;
      if (pattern == MOESIM_PAIRS && to == (from ^ 1)) cell = bytes;
      // Destination d takes 1 / (d + 1) of every sender's bytes.
      if (pattern == MOESIM_SKEWED) {
        cell = static_cast<std::size_t>(static_cast<double>(bytes) /
                                        (static_cast<double>(to + 1) * harmonic));
      }
    }
  }
  return matrix;
}

// Everyone waits until all have come.
class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}
  void wait() {
    std::unique_lock lock(mutex_);
    const int round = round_;
    if (++arrived_ == count_) {
      arrived_ = 0;
      ++round_;
      all_.notify_all();
      return;
    }
    all_.wait(lock, [&] { return round != round_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  int count_, arrived_ = 0, round_ = 0;
};

struct Rank {
  int device = 0;
  NcclComm comm = nullptr;
  Stream stream;
  Event start, stop;
  Buffer out, in;
  double seconds = 0;
};

class AllToAllWork final : public Work {
 public:
  AllToAllWork(Session& session, const moesim_op& op)
      : session_(session), op_(op), ranks_(size(op.ranks)) {
    int devices = 0;
    moesim_cuda::check(cudaGetDeviceCount(&devices), "counting GPUs");
    if (op.ranks < 1 || op.ranks > devices) throw Refusal("fewer GPUs than ranks");
    const bool made = session.communicators != nullptr && !session.communicators->broken &&
                      session.communicators->of_rank.size() == ranks_.size();
    if (!made) {
      session.communicators = std::make_shared<Communicators>(static_cast<int>(op.ranks));
      cudaSetDevice(session.ordinal);
    }
    nccl_ = session.communicators->nccl.get();
    matrix_ = traffic(op.pattern, static_cast<int>(op.ranks), size(op.bytes));
    start_ranks();
  }
  ~AllToAllWork() override {
    for (Rank& r : ranks_) {
      cudaSetDevice(r.device);
      r = Rank();
    }
    cudaSetDevice(session_.ordinal);
  }

  [[nodiscard]] std::string kernel() const override { return "nccl_sendrecv"; }
  void enqueue(cudaStream_t, int) override {}

  std::vector<double> sample(int count) override {
    std::vector<double> times;
    for (int i = 0; i < count; ++i) times.push_back(once(kIterations));
    return times;
  }

  // Every rank's data is its own number: what arrives says who sent it.
  Difference check() override {
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      cudaSetDevice(ranks_[r].device);
      cudaMemset(ranks_[r].out.data(), static_cast<int>(r + 1), ranks_[r].out.bytes());
      cudaMemset(ranks_[r].in.data(), 0, ranks_[r].in.bytes());
      moesim_cuda::check(cudaDeviceSynchronize(), "filling buffers");
    }
    once(1);
    bool right = true;
    const std::size_t n = ranks_.size();
    for (std::size_t to = 0; to < n; ++to) {
      std::vector<char> in(ranks_[to].in.bytes());
      cudaSetDevice(ranks_[to].device);
      moesim_cuda::check(
          cudaMemcpy(in.data(), ranks_[to].in.data(), in.size(), cudaMemcpyDefault),
          "copying from the device");
      std::size_t at = 0;
      for (std::size_t from = 0; from < n; ++from) {
        for (std::size_t i = 0; i < matrix_[from * n + to]; ++i) {
          right = right && in[at++] == static_cast<char>(from + 1);
        }
      }
    }
    cudaSetDevice(session_.ordinal);
    return {right ? 0.0 : 1.0, 1e-9};
  }

 private:
  static constexpr int kIterations = 4;

  void start_ranks() {
    const std::size_t n = ranks_.size();
    for (std::size_t r = 0; r < n; ++r) {
      Rank& rank = ranks_[r];
      rank.device = static_cast<int>(r);
      rank.comm = session_.communicators->of_rank[r];
      moesim_cuda::check(cudaSetDevice(rank.device), "selecting a GPU");
      rank.stream = make_stream();
      rank.start = make_event();
      rank.stop = make_event();
      std::size_t sent = 0, received = 0;
      for (std::size_t other = 0; other < n; ++other) {
        sent += matrix_[r * n + other];
        received += matrix_[other * n + r];
      }
      rank.out = Buffer(std::max<std::size_t>(sent, 16));
      rank.in = Buffer(std::max<std::size_t>(received, 16));
      fill_random(rank.out.data(), rank.out.bytes(), Format::int8, r, rank.stream.get());
      moesim_cuda::check(cudaStreamSynchronize(rank.stream.get()), "filling buffers");
    }
    cudaSetDevice(session_.ordinal);
    once(1);
  }

  void exchange(std::size_t me) {
    Rank& rank = ranks_[me];
    const std::size_t n = ranks_.size();
    std::size_t out = 0, in = 0;
    nccl_->check(nccl_->group_start(), "starting a group");
    for (std::size_t other = 0; other < n; ++other) {
      const std::size_t sent = matrix_[me * n + other], received = matrix_[other * n + me];
      const int peer = static_cast<int>(other);
      if (sent > 0) {
        nccl_->check(nccl_->send(rank.out.data() + out, sent, Nccl::kBytes, peer, rank.comm,
                                 rank.stream.get()),
                     "sending");
      }
      if (received > 0) {
        nccl_->check(nccl_->receive(rank.in.data() + in, received, Nccl::kBytes, peer,
                                    rank.comm, rank.stream.get()),
                     "receiving");
      }
      out += sent;
      in += received;
    }
    nccl_->check(nccl_->group_end(), "ending a group");
  }

  // One thread's part: all start together, each times its own stream.
  void run_rank(std::size_t me, int iterations, Barrier& barrier) {
    Rank& rank = ranks_[me];
    const cudaError_t selected = cudaSetDevice(rank.device);
    barrier.wait();  // before anything may throw: everyone comes
    moesim_cuda::check(selected, "selecting a GPU");
    cudaEvent_t const start = rank.start.get(), stop = rank.stop.get();
    moesim_cuda::check(cudaEventRecord(start, rank.stream.get()), "recording an event");
    for (int i = 0; i < iterations; ++i) exchange(me);
    moesim_cuda::check(cudaEventRecord(stop, rank.stream.get()), "recording an event");
    moesim_cuda::check(cudaEventSynchronize(stop), "exchanging");
    float ms = 0;
    moesim_cuda::check(cudaEventElapsedTime(&ms, start, stop), "reading events");
    rank.seconds = ms * 1e-3 / iterations;
  }

  double once(int iterations) {
    Barrier barrier(static_cast<int>(ranks_.size()));
    std::vector<std::exception_ptr> faults(ranks_.size());
    std::vector<std::thread> threads;
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      threads.emplace_back([&, r] {
        try {
          run_rank(r, iterations, barrier);
        } catch (...) {
          faults[r] = std::current_exception();
          session_.communicators->abort();
        }
      });
    }
    for (std::thread& t : threads) t.join();
    for (const auto& fault : faults) {
      if (fault) std::rethrow_exception(fault);
    }
    double slowest = 0;
    for (const Rank& r : ranks_) slowest = std::max(slowest, r.seconds);
    return slowest;
  }

  Session& session_;
  moesim_op op_;
  const Nccl* nccl_ = nullptr;
  std::vector<Rank> ranks_;
  std::vector<std::size_t> matrix_;
};

}  // namespace

std::unique_ptr<Work> make_all_to_all(Session& session, const moesim_op& op) {
  return std::make_unique<AllToAllWork>(session, op);
}

}  // namespace moesim_cuda
