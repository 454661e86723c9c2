// SPDX-License-Identifier: Apache-2.0
#include "system_features.h"

#ifdef __APPLE__
#include <sys/sysctl.h>

#include <cstdint>

#include "cpu_layout.h"
#else
#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#endif

namespace runner {

#ifdef __APPLE__

std::optional<std::set<std::string>> system_feature_words() {
  std::set<std::string> words;
  for (const auto& field : cpu_layout().fields) {
    std::uint64_t value = 0;
    std::size_t size = sizeof(value);
    const std::string name = std::string("hw.optional.arm.") + field.macos_name;
    if (field.macos_name[0] != '\0' && sysctlbyname(name.c_str(), &value, &size, nullptr, 0) == 0 && value != 0) {
      words.insert(field.macos_name);
    }
  }
  return words;
}

#else

std::optional<std::set<std::string>> system_feature_words() {
  std::ifstream file("/proc/cpuinfo");
  std::optional<std::set<std::string>> common;
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || (line.rfind("Features", 0) != 0 && line.rfind("flags", 0) != 0)) continue;
    std::istringstream stream(line.substr(colon + 1));
    std::set<std::string> words{std::istream_iterator<std::string>(stream), {}};
    if (!common) {
      common = std::move(words);
      continue;
    }
    std::set<std::string> both;
    std::set_intersection(common->begin(), common->end(), words.begin(), words.end(),
                          std::inserter(both, both.end()));
    common = std::move(both);
  }
  return common;
}

#endif

} // namespace runner
