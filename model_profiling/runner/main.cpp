// SPDX-License-Identifier: Apache-2.0
// sme_runner: executes an ExecuTorch program and reports how long that took.

#include <cstdio>
#include <exception>
#include <new>
#include <set>
#include <string>

#include "errors.h"
#include "log_capture.h"
#include "measure.h"
#include "options.h"
#include "report.h"
#include "system_features.h"
#include "text.h"
#include "turns.h"

namespace {

// In the form of /proc/cpuinfo, for a device that offers no other way to read it.
int print_cpu_features() {
  std::string line = "Features\t:";
  for (const auto& word : runner::system_feature_words().value_or(std::set<std::string>{})) line += " " + word;
  std::puts(line.c_str());
  return 0;
}

int run(int argc, char** argv) {
  const auto options = runner::parse_options(argc, argv);
  if (options.help) {
    std::fputs(runner::usage("sme_runner").c_str(), stdout);
    return 0;
  }
  if (options.cpu_features) return print_cpu_features();
  runner::check_destinations(options);
  runner::write_report(options, options.take_turns ? runner::take_turns(options) : runner::measure(options));
  return 0;
}

int fail(const std::exception& error, int status) {
  std::fprintf(stderr, "error: %s\n", runner::one_line(error.what()).c_str());
  return status;
}

} // namespace

int main(int argc, char** argv) {
  runner::capture_runtime_log();
  try {
    return run(argc, argv);
  } catch (const runner::UserError& error) {
    return fail(error, runner::kExitUserError);
  } catch (const runner::MeasurementError& error) {
    return fail(error, runner::kExitMeasurementFailed);
  } catch (const std::bad_alloc&) {
    std::fputs("error: out of memory while running the model\n", stderr);
    return runner::kExitMeasurementFailed;
  }
}
