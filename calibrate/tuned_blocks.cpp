#include "calibrate/tuned_blocks.hpp"

#include <fmt/format.h>

#include "calibrate/devices.hpp"
#include "calibrate/expert_points.hpp"

namespace moesim {

bool is_tuned_blocks_table(const Table& table) {
  return table.has("moe_dtype") && !table.has("num_tokens");
}

std::vector<TunedBlocks> read_tuned_blocks(const Table& table, const std::string& gpu) {
  const int system = table.column("system"), framework = table.column("framework"),
            kernel = table.column("kernel_source"), dtype = table.column("moe_dtype"),
            experts = table.column("num_experts"), width = table.column("inter_size");
  std::vector<TunedBlocks> all;
  Diagnostics wrong;
  for (int i = 0; i < table.rows(); ++i) {
    const auto device = find_device(table.text(i, system));
    if (!device || device->name != gpu) continue;
    const auto size = [&](int column) {
      const double value = table.number(i, column);
      if (value >= 1 && value < 1e9) return static_cast<int>(value);
      wrong.error(table.place(i), fmt::format("'{}' is no size", table.text(i, column)),
                  "a positive number");
      return 0;
    };
    all.push_back(
        {{std::string(table.text(i, framework)), "", std::string(table.text(i, kernel)),
          table_dtype(table.text(i, dtype), table.place(i))},
         size(experts),
         size(width)});
  }
  wrong.throw_if_errors();
  return all;
}

TunedShapes tuned_shapes(const std::vector<TunedBlocks>& all, const KernelKey& key) {
  TunedShapes shapes;
  for (const TunedBlocks& tuned : all) {
    if (tuned.key.engine == key.engine && tuned.key.kernel == key.kernel &&
        tuned.key.dtype == key.dtype) {
      shapes.emplace(tuned.experts, tuned.intermediate);
    }
  }
  return shapes;
}

}  // namespace moesim
