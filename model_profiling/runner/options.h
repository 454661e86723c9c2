// SPDX-License-Identifier: Apache-2.0
// The command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace runner {

struct Options {
  std::string model;
  std::string data;                      // a .ptd with weights that are not in the model; empty: none
  std::string method;                    // empty: the program's only one
  std::vector<std::string> inputs;       // raw tensor files, in the model's order; none: from the seed
  std::vector<std::string> input_shapes; // "1x16", one for each input; none: the largest that the program takes
  unsigned warmup = 3;
  unsigned max_warmup = 30;
  unsigned runs = 20;
  unsigned traced_runs = 10;
  unsigned threads = 1;
  std::vector<std::string> disable_cpu_features;
  std::uint64_t seed = 0;
  std::string etdump;      // empty: not written
  std::string result;      // empty: to standard output
  std::string outputs_dir; // empty: not written
  bool take_turns = false;
  bool help = false;
  bool cpu_features = false;
};

// Throws UserError for an unknown flag, a missing value or one out of range.
Options parse_options(int argc, char** argv);

std::string usage(const std::string& program);

} // namespace runner
