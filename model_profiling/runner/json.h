// SPDX-License-Identifier: Apache-2.0
// Just enough JSON to write a result.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace runner::json {

std::string text(const std::string& value); // quoted and escaped
std::string number(std::int64_t value);

template <typename Values, typename Format>
std::string list(const Values& values, Format format) {
  std::string out = "[";
  for (const auto& value : values) out += (out.size() > 1 ? ", " : "") + format(value);
  return out + "]";
}

// Values are JSON already.
std::string object(const std::vector<std::pair<std::string, std::string>>& members, const char* separator = ", ");

} // namespace runner::json
