// Shares of a token by group of sources and place (rank or node): most groups of sources do the
// same with most places, so that the table is one usual row and the cells that depart from it.
// What is done with it then costs as much as there are places, not places times groups.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace moesim {

struct ShareRows {
  struct Cell {
    int group;
    int place;
    double value;  // instead of usual[place]
  };
  std::vector<double> usual;       // [places]
  std::vector<Cell> cells;         // by group, then by place; none twice
  std::vector<std::size_t> first;  // [groups + 1] a group's first cell

  ShareRows() = default;
  // From a whole table, `values` [groups * places].
  ShareRows(int groups, std::span<const double> values);

  [[nodiscard]] std::size_t places() const { return usual.size(); }
  [[nodiscard]] std::size_t groups() const { return first.empty() ? 0 : first.size() - 1; }
  [[nodiscard]] bool empty() const { return usual.empty(); }
  [[nodiscard]] std::span<const Cell> of(std::size_t group) const {
    return std::span(cells).subspan(first[group], first[group + 1] - first[group]);
  }
  // The group's cells in the places [from, to).
  [[nodiscard]] std::span<const Cell> of(std::size_t group, int from, int to) const;
  [[nodiscard]] double at(std::size_t group, std::size_t place) const;
  // Of a group's row; `usual_sum` is that of the usual row, for who asks more than once.
  [[nodiscard]] double sum(std::size_t group, double usual_sum) const;
  [[nodiscard]] double sum(std::size_t group) const { return sum(group, usual_sum()); }
  [[nodiscard]] double usual_sum() const;
  // A group's row from place `from` on; out.size() places.
  void expand(std::size_t group, std::size_t from, std::span<double> out) const;
  // [groups * places]
  [[nodiscard]] std::vector<double> whole() const;

  // visit(group, place, difference to the usual)
  template <class Visit>
  void each_departure(Visit visit) const {
    for (const Cell& cell : cells) {
      const auto place = static_cast<std::size_t>(cell.place);
      visit(static_cast<std::size_t>(cell.group), place, cell.value - usual[place]);
    }
  }
};

}  // namespace moesim
