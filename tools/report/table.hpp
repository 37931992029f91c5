// A result on the terminal: metrics as rows, mean p50 p90 p99 max n as columns, and below them
// throughput, utilization, balance, what was busiest, promises and blame.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/diagnostics.hpp"
#include "sim/base/registry.hpp"
#include "tools/report/result.hpp"

namespace moesim {

// A row of cells; the first column is aligned left, the others right, two spaces between.
std::string align(const std::vector<std::vector<std::string>>& rows);

// "1,234,567"
std::string grouped(std::int64_t number);

std::string render_table(const Result& result, Color color);
std::string render_csv(const Result& result);       // the metrics: tag,unit,count,mean,...
std::string render_markdown(const Result& result);  // the same table for a chat or an issue
// As `vllm bench serve` prints it, so that the two can be laid side by side.
std::string render_vllm(const Result& result);

// What --format may name: table, json, csv, markdown, vllm.
using RenderResult = std::string (*)(const Result&, Color);
std::span<const Entry<RenderResult>> result_formats();
// Throws InputError for an unknown format.
std::string render_as(std::string_view format, const Result& result, Color color);

}  // namespace moesim
