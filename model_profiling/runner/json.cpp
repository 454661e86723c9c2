// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include <cstdio>

namespace runner::json {

std::string text(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string number(std::int64_t value) { return std::to_string(value); }

std::string object(const std::vector<std::pair<std::string, std::string>>& members, const char* separator) {
  std::string out = "{";
  for (const auto& [name, value] : members) out += (out.size() > 1 ? separator : "") + text(name) + ": " + value;
  return out + "}";
}

} // namespace runner::json
