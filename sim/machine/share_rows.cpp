#include "sim/machine/share_rows.hpp"

#include <algorithm>
#include <numeric>

#include "sim/base/errors.hpp"

namespace moesim {
namespace {

// The value of more than half the groups, where there is one (Boyer and Moore's vote, 1991).
double most_common(std::span<const double> values, std::size_t groups, std::size_t place) {
  const std::size_t places = values.size() / groups;
  double candidate = 0;
  std::size_t votes = 0;
  for (std::size_t i = place; i < values.size(); i += places) {
    if (votes == 0) candidate = values[i];
    votes += values[i] == candidate ? 1 : std::size_t{0} - 1;
  }
  return candidate;
}

}  // namespace

ShareRows::ShareRows(int groups, std::span<const double> values) {
  const auto rows = static_cast<std::size_t>(groups);
  MOESIM_LAW(groups > 0 && values.size() % rows == 0, "a table has rows of one length");
  usual.resize(values.size() / rows);
  for (std::size_t p = 0; p < usual.size(); ++p) usual[p] = most_common(values, rows, p);
  for (std::size_t g = 0; g < rows; ++g) {
    first.push_back(cells.size());
    for (std::size_t p = 0; p < usual.size(); ++p) {
      const double value = values[g * usual.size() + p];
      if (value != usual[p]) cells.push_back({static_cast<int>(g), static_cast<int>(p), value});
    }
  }
  first.push_back(cells.size());
}

std::span<const ShareRows::Cell> ShareRows::of(std::size_t group, int from, int to) const {
  const std::span<const Cell> all = of(group);
  const auto begin = std::ranges::lower_bound(all, from, {}, &Cell::place);
  auto end = begin;
  while (end != all.end() && end->place < to) ++end;
  return {begin, end};
}

double ShareRows::at(std::size_t group, std::size_t place) const {
  const int p = static_cast<int>(place);
  const std::span<const Cell> cell = of(group, p, p + 1);
  return cell.empty() ? usual[place] : cell.front().value;
}

double ShareRows::usual_sum() const { return std::accumulate(usual.begin(), usual.end(), 0.0); }

double ShareRows::sum(std::size_t group, double usual_sum) const {
  for (const Cell& cell : of(group)) {
    usual_sum += cell.value - usual[static_cast<std::size_t>(cell.place)];
  }
  return usual_sum;
}

void ShareRows::expand(std::size_t group, std::size_t from, std::span<double> out) const {
  std::copy_n(usual.begin() + static_cast<std::ptrdiff_t>(from), out.size(), out.begin());
  const int begin = static_cast<int>(from);
  for (const Cell& cell : of(group, begin, begin + static_cast<int>(out.size()))) {
    out[static_cast<std::size_t>(cell.place) - from] = cell.value;
  }
}

std::vector<double> ShareRows::whole() const {
  std::vector<double> out(groups() * places());
  for (std::size_t g = 0; g < groups(); ++g) {
    expand(g, 0, std::span(out).subspan(g * places(), places()));
  }
  return out;
}

}  // namespace moesim
