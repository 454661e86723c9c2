// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <cstdio>

#include "files.h"
#include "json.h"

namespace runner {
namespace {

constexpr int kSchemaVersion = 1; // RESULT_SCHEMA_VERSION of pipeline/runners/result.py

std::string output_path(const Options& options, std::size_t index) {
  return options.outputs_dir + "/output_" + std::to_string(index) + ".bin";
}

std::string outputs_json(const Options& options, const std::vector<Output>& outputs) {
  std::vector<std::string> entries;
  for (std::size_t i = 0; i < outputs.size() && !options.outputs_dir.empty(); ++i) {
    entries.push_back(json::object({{"file", json::text(output_path(options, i))},
                                    {"dtype", json::text(dtype_name(outputs[i].spec.type))},
                                    {"shape", json::list(outputs[i].spec.shape, json::number)}}));
  }
  return json::list(entries, [](const std::string& entry) { return entry; });
}

std::string result_json(const Options& options, const Measurement& m) {
  return json::object(
             {{"schema_version", json::number(kSchemaVersion)},
              {"runner", json::text("native")},
              {"executorch_version", json::text(EXECUTORCH_BUILD_VERSION)},
              {"threads", json::number(m.threads)},
              {"load_ns", json::number(m.load_ns)},
              {"warmup_ns", json::list(m.warmup_ns, json::number)},
              {"latency_ns", json::list(m.latency_ns, json::number)},
              {"traced_warmup_ns", json::list(m.traced_warmup_ns, json::number)},
              {"traced_ns", json::list(m.traced_ns, json::number)},
              {"traced_warmup", json::number(0)},
              {"peak_rss_bytes", m.peak_rss_bytes > 0 ? json::number(m.peak_rss_bytes) : "null"},
              {"masked_cpu_features", json::list(m.features.masked, json::text)},
              {"active_cpu_features", json::list(m.features.active, json::text)},
              {"outputs", outputs_json(options, m.outputs)}},
             ",\n ") +
      "\n";
}

} // namespace

void check_destinations(const Options& options) {
  if (!options.outputs_dir.empty()) {
    make_folder(options.outputs_dir);
    require_writable(output_path(options, 0));
  }
  if (!options.etdump.empty()) require_writable(options.etdump);
  if (!options.result.empty()) require_writable(options.result);
}

void write_report(const Options& options, const Measurement& measurement) {
  for (std::size_t i = 0; i < measurement.outputs.size() && !options.outputs_dir.empty(); ++i) {
    const auto& bytes = measurement.outputs[i].bytes;
    write_file(output_path(options, i), bytes.data(), bytes.size());
  }
  if (!measurement.etdump.empty()) write_file(options.etdump, measurement.etdump.data(), measurement.etdump.size());
  const auto result = result_json(options, measurement);
  if (options.result.empty()) {
    std::fputs(result.c_str(), stdout);
  } else {
    write_file(options.result, result.data(), result.size());
  }
}

} // namespace runner
