// SPDX-License-Identifier: Apache-2.0
#include "cpu_mask.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#if defined(__GLIBC__)
#include <link.h>
#endif

#include "cpu_layout.h"
#include "errors.h"
#include "system_features.h"
#include "text.h"

namespace runner {
namespace {

// The size that the symbol table gives `address`, where the system can tell.
std::optional<std::size_t> symbol_size(const void* address) {
#if defined(__GLIBC__)
  Dl_info info{};
  void* extra = nullptr;
  if (dladdr1(address, &info, &extra, RTLD_DL_SYMENT) != 0 && extra != nullptr && info.dli_saddr == address) {
    return static_cast<const ElfW(Sym)*>(extra)->st_size;
  }
#else
  (void)address;
#endif
  return std::nullopt;
}

std::vector<std::string> system_names(const IsaField& field) {
#ifdef __APPLE__
  return split(field.macos_name, '|');
#else
  return field.linux_names;
#endif
}

bool disagrees(const IsaField& field, std::uint8_t value, const std::set<std::string>& words) {
  if (value > 1) return true; // no C boolean
  const auto names = system_names(field);
  if (names.empty()) return false;
  const bool said = std::any_of(names.begin(), names.end(), [&](const auto& name) { return words.count(name) > 0; });
  return (field.check == Check::both && said != (value != 0)) || (field.check == Check::listed && said && value == 0);
}

void check_layout(const std::uint8_t* isa, const IsaLayout& layout) {
  std::string wrong;
  const auto size = symbol_size(isa);
  if (size && *size != layout.size) {
    wrong = "its size of " + std::to_string(*size) + " bytes, not " + std::to_string(layout.size);
  }
  const auto words = system_feature_words();
  if (!words) {
    throw UserError("the system does not list the CPU's features, so cpuinfo cannot be checked against it",
                    "with --disable-cpu-features", "leave the flag out");
  }
  for (const auto& field : layout.fields) {
    if (disagrees(field, isa[field.offset], *words)) wrong += (wrong.empty() ? "" : ", ") + field.name;
  }
  if (!wrong.empty()) {
    throw UserError("cpuinfo's layout is not the one the kit knows (" + wrong + " disagree with the system)",
                    "in this ExecuTorch", "install the ExecuTorch version that setup_repo.sh pins");
  }
}

} // namespace

MaskedFeatures mask_cpu_features(const std::vector<std::string>& names) {
  // Looked up rather than linked: no header of the wheel declares them, and a reference
  // from the program itself would make the linker copy the struct into it.
  auto* initialize = reinterpret_cast<bool (*)()>(dlsym(RTLD_DEFAULT, "cpuinfo_initialize"));
  auto* isa = static_cast<std::uint8_t*>(dlsym(RTLD_DEFAULT, "cpuinfo_isa"));
  const auto& layout = cpu_layout();
  if (initialize == nullptr || isa == nullptr || layout.size == 0 || !initialize()) {
    if (names.empty()) return {};
    throw UserError("this build cannot switch CPU features", "with --disable-cpu-features", "leave the flag out");
  }
  if (!names.empty()) check_layout(isa, layout);

  std::vector<std::string> present;
  for (const auto& field : layout.fields) {
    if (isa[field.offset] != 0) present.push_back(field.name);
  }
  for (const auto& name : names) { // all are checked before the first is cleared
    if (std::find(present.begin(), present.end(), name) == present.end()) {
      throw UserError("this CPU has no feature " + name + did_you_mean(name, present), "in --disable-cpu-features",
                      "name one that it has");
    }
  }
  MaskedFeatures features;
  for (const auto& field : layout.fields) {
    if (std::find(names.begin(), names.end(), field.name) != names.end()) {
      isa[field.offset] = 0;
      features.masked.push_back(field.name);
    } else if (isa[field.offset] != 0) {
      features.active.push_back(field.name);
    }
  }
  return features;
}

} // namespace runner
