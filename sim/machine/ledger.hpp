// Bytes that every link carried, whole and per time bin: exact, because they are accounted
// along paths and never derived from rates. And their work, which is what the link felt.
#pragma once

#include <span>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"

namespace moesim {

class LinkLedger {
 public:
  // Bins of `bin` seconds; zero: no time series.
  explicit LinkLedger(int links, Seconds bin = Seconds{0});

  // What follows is spread evenly over [from, to].
  void open(Seconds from, Seconds to);
  // What follows happens `times` over: the micro-batches of a step.
  void repeat(double times) { times_ = times; }
  void add(LinkId link, double bytes) { add(link, bytes, bytes); }
  // `work`: bytes over the transport's efficiency.
  void add(LinkId link, double bytes, double work) {
    bytes *= times_;
    total_[link.index()] += bytes;
    work_[link.index()] += work * times_;
    for (const Part& part : parts_)
      series_[part.offset + link.index()] += bytes * part.fraction;
  }

  [[nodiscard]] Bytes bytes(LinkId link) const { return Bytes{total_[link.index()]}; }
  [[nodiscard]] std::span<const double> totals() const { return total_; }  // [links] bytes
  [[nodiscard]] std::span<const double> work() const { return work_; }     // [links] bytes
  [[nodiscard]] Seconds bin() const { return bin_; }
  [[nodiscard]] int bins() const { return static_cast<int>(series_.size() / total_.size()); }
  // Bytes per link in one bin.
  [[nodiscard]] std::span<const double> in_bin(int bin) const;

 private:
  struct Part {
    std::size_t offset;
    double fraction;
  };
  std::vector<double> total_;
  std::vector<double> work_;    // [links]
  std::vector<double> series_;  // [bins * links]
  std::vector<Part> parts_;     // where the open interval's bytes go
  Seconds bin_;
  double times_ = 1;
};

}  // namespace moesim
