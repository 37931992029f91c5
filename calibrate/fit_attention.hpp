// Attention sections of a profile from table rows: decode, prefill, MLA and its absorbing
// batched GEMMs.
#pragma once

#include <string>
#include <vector>

#include "calibrate/attention_model.hpp"
#include "calibrate/devices.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/table.hpp"

namespace moesim {

struct AttentionRow {
  AttentionOp op = AttentionOp::decode;
  KernelKey key;
  HeadConfig config;
  double batch = 0;
  double tokens = 0;  // decode: in the cache; prefill: new ones
  double seconds = 0;
  Place place;
};

bool is_attention_table(const Table& table);
// The row's layout tells its op: a step counts cached tokens (decode), none is a prefill.
std::vector<AttentionRow> read_attention_rows(const Table& table, const std::string& gpu);

std::vector<AttentionSection> fit_attention_sections(const std::vector<AttentionRow>& rows,
                                                     const Device& device);

}  // namespace moesim
