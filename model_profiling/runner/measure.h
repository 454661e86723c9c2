// SPDX-License-Identifier: Apache-2.0
// One launch: load, warm up, time, trace.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu_mask.h"
#include "model.h"
#include "options.h"

namespace runner {

struct Measurement {
  unsigned threads = 1;
  std::int64_t load_ns = 0;               // program and method, weights packed; untraced
  std::vector<std::int64_t> warmup_ns;    // untraced
  std::vector<std::int64_t> latency_ns;   // untraced, after warm-up
  std::int64_t peak_rss_bytes = 0;        // up to here: tracing is not charged to the model
  std::vector<std::int64_t> traced_warmup_ns; // with the tracer, not in the ETDump
  std::vector<std::int64_t> traced_ns;    // one Execute block of the ETDump each
  std::vector<Output> outputs;            // of the last untraced execution, or of the last one where all are traced
  std::vector<std::uint8_t> etdump;
  MaskedFeatures features;
};

// Masks the CPU's features, then measures; throws UserError or MeasurementError.
Measurement measure(const Options& options);

} // namespace runner
