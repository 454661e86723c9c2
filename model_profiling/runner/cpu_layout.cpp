// SPDX-License-Identifier: Apache-2.0
#include "cpu_layout.h"

#include <cstring>

#include "text.h"

namespace runner {
namespace {

#if defined(__aarch64__)
constexpr char kArchitecture[] = "aarch64";
#elif defined(__x86_64__)
constexpr char kArchitecture[] = "x86_64";
#else
constexpr char kArchitecture[] = "";
#endif

IsaLayout build_layout() {
  IsaLayout layout{0, {}};
#define ISA_SIZE(architecture, bytes) \
  if (std::strcmp(#architecture, kArchitecture) == 0) layout.size = bytes;
#define ISA_FIELD(architecture, offset, name, linux_names, macos_name, check)      \
  if (std::strcmp(#architecture, kArchitecture) == 0) {                            \
    layout.fields.push_back({#name, offset, split(linux_names, '|'), macos_name, Check::check}); \
  }
#include "cpu_layout.def"
#undef ISA_SIZE
#undef ISA_FIELD
  return layout;
}

} // namespace

const IsaLayout& cpu_layout() {
  static const IsaLayout layout = build_layout();
  return layout;
}

} // namespace runner
