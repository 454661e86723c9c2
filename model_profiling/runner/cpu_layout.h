// SPDX-License-Identifier: Apache-2.0
// Where each CPU feature's byte lies in cpuinfo_isa, for the architecture compiled for.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace runner {

enum class Check { both, listed, none }; // see cpu_layout.def

struct IsaField {
  std::string name;
  std::size_t offset;
  std::vector<std::string> linux_names;
  const char* macos_name;
  Check check;
};

struct IsaLayout {
  std::size_t size; // bytes; 0 when the table has nothing for this architecture
  std::vector<IsaField> fields;
};

const IsaLayout& cpu_layout();

} // namespace runner
