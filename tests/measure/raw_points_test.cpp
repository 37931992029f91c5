#include "calibrate/measure/raw_points.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

#include "fake_device.hpp"
#include "sim/base/files.hpp"

using namespace moesim;

namespace {

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> list;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, ',');) list.push_back(cell);
  return list;
}

struct Read {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  [[nodiscard]] std::string at(std::size_t row, const std::string& column) const {
    const auto it = std::find(columns.begin(), columns.end(), column);
    REQUIRE(it != columns.end());
    return rows[row][static_cast<std::size_t>(it - columns.begin())];
  }
};

Read read(const RawTable& table) {
  Read result;
  std::istringstream in(table.text);
  for (std::string line; std::getline(in, line);) {
    if (line[0] == '#') continue;
    if (result.columns.empty()) {
      result.columns = cells(line);
    } else {
      result.rows.push_back(cells(line));
      CHECK(result.rows.back().size() == result.columns.size());
    }
  }
  return result;
}

const RawTable& named(const std::vector<RawTable>& tables, const std::string& file) {
  for (const auto& t : tables) {
    if (t.file == file) return t;
  }
  FAIL("no table " << file);
  return tables.front();
}

std::vector<RawTable> measured_tables(std::uint64_t seed) {
  FakeDevice device;
  const Plan plan = make_plan(device.facts(), {.seed = seed});
  Measuring how;
  how.clock = device.clock();
  return raw_tables(measure(device, plan, how), device.facts(), seed);
}

}  // namespace

TEST_CASE("raw tables begin with the columns of the published tables, latency in ms") {
  const auto tables = measured_tables(1);
  const Read gemm = read(named(tables, "gemm_h200_sxm.csv"));
  CHECK(std::vector(gemm.columns.begin(), gemm.columns.begin() + 9) ==
        std::vector<std::string>{"system", "framework", "version", "kernel_source",
                                 "gemm_dtype", "m", "n", "k", "latency"});
  REQUIRE(gemm.rows.size() == 4 * (192 + 48 + 20));
  for (std::size_t i = 0; i < gemm.rows.size(); ++i) {
    Operation op;
    op.dtype = gemm.at(i, "gemm_dtype") == "bfloat16" ? Dtype::bf16
                                                      : *parse_dtype(gemm.at(i, "gemm_dtype"));
    op.m = std::stoll(gemm.at(i, "m"));
    op.n = std::stoll(gemm.at(i, "n"));
    op.k = std::stoll(gemm.at(i, "k"));
    CHECK(std::stod(gemm.at(i, "latency")) ==
          Approx(FakeDevice::law(op).value * 1e3).epsilon(0.01));
    CHECK(std::stod(gemm.at(i, "low")) <= std::stod(gemm.at(i, "high")));
  }
  const Read moe = read(named(tables, "moe_h200_sxm.csv"));
  CHECK(std::vector(moe.columns.begin(), moe.columns.begin() + 15) ==
        std::vector<std::string>{"system", "framework", "version", "kernel_source", "moe_dtype",
                                 "num_tokens", "hidden_size", "inter_size", "topk",
                                 "num_experts", "moe_tp_size", "moe_ep_size", "distribution",
                                 "latency", "flag"});
  const Read attention = read(named(tables, "generation_attention_h200_sxm.csv"));
  CHECK(attention.columns[4] == "batch_size");
  CHECK(attention.columns[14] == "latency");
}

TEST_CASE("the same seed and device write the same bytes") {
  const auto a = measured_tables(9);
  const auto b = measured_tables(9);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].text == b[i].text);
}

TEST_CASE("one GPU's links are written down as not measured") {
  const auto tables = measured_tables(1);
  CHECK(named(tables, "not_measured_h200_sxm.csv").text.find("links between GPUs") !=
        std::string::npos);
}

TEST_CASE("tables are written whole into a new folder") {
  const auto folder = std::filesystem::temp_directory_path() / "moesim_raw_points_test";
  std::filesystem::remove_all(folder);
  const auto tables = measured_tables(1);
  const auto paths = write_raw_tables(tables, folder / "raw");
  REQUIRE(paths.size() == tables.size());
  for (std::size_t i = 0; i < paths.size(); ++i) CHECK(read_file(paths[i]) == tables[i].text);
  std::filesystem::remove_all(folder);
}
