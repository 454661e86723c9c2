// SPDX-License-Identifier: Apache-2.0
#include "log_capture.h"

#include <executorch/runtime/platform/platform.h>

#include <cstdio>
#include <mutex>

#include "text.h"

namespace runner {
namespace {

std::mutex mutex;
std::string first_error;

void keep(et_timestamp_t, et_pal_log_level_t level, const char*, const char*, std::size_t, const char* message,
          std::size_t length) {
  if (level != kError && level != kFatal) return;
  std::string text = one_line(std::string(message, length));
  // It quotes bytes of broken files, which may be anything; our own messages stay UTF-8.
  for (char& c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  const std::lock_guard<std::mutex> lock(mutex);
  // The first of a chain of errors is the cause; what follows repeats it in other words.
  if (first_error.empty()) first_error = text;
  // The process is about to abort: this is the last chance to say why.
  if (level == kFatal) std::fprintf(stderr, "error: ExecuTorch stopped: %s\n", text.c_str());
}

} // namespace

void capture_runtime_log() {
  executorch::runtime::register_pal(executorch::runtime::PalImpl::create(keep, __FILE__));
}

std::string runtime_error_text() {
  const std::lock_guard<std::mutex> lock(mutex);
  return first_error.empty() ? "" : " (" + first_error + ")";
}

} // namespace runner
