// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <limits>

#include "errors.h"
#include "text.h"

namespace runner {
namespace {

constexpr char kWhere[] = "on the command line";
// More than any CPU has; a larger number is a typing error.
constexpr std::uint64_t kMaxThreads = 1024;
constexpr std::uint64_t kMaxExecutions = 10'000'000;

struct Flag {
  const char* name;
  const char* value;
  const char* help;
  std::function<void(Options&, const std::string&)> set;
};

std::uint64_t parse_number(const char* flag, const std::string& text, std::uint64_t low, std::uint64_t high) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  errno = 0;
  const std::uint64_t value = digits ? std::strtoull(text.c_str(), nullptr, 10) : 0;
  if (!digits || errno == ERANGE || value < low || value > high) {
    throw UserError(std::string(flag) + " takes a number from " + std::to_string(low) + " to " +
                        std::to_string(high) + ", not \"" + text + "\"",
                    kWhere, "correct it");
  }
  return value;
}

Flag count_flag(const char* name, unsigned Options::*member, std::uint64_t low, std::uint64_t high, const char* help) {
  return {name, "N", help, [=](Options& options, const std::string& text) {
            options.*member = static_cast<unsigned>(parse_number(name, text, low, high));
          }};
}

Flag text_flag(const char* name, const char* value, std::string Options::*member, const char* help) {
  return {name, value, help, [=](Options& options, const std::string& text) { options.*member = text; }};
}

const std::vector<Flag>& flags() {
  static const std::vector<Flag> all = {
      text_flag("--model", "FILE", &Options::model, "the .pte to run (required)"),
      text_flag("--data", "FILE", &Options::data, "the .ptd with the weights of a program that keeps them outside"),
      text_flag("--method", "NAME", &Options::method, "the method to execute (default: the program's only one)"),
      {"--input-shape", "SHAPE", "such as 1x16, or scalar; once per model input, where the program leaves shapes open",
       [](Options& options, const std::string& text) { options.input_shapes.push_back(text); }},
      {"--input", "FILE", "raw tensor bytes, little-endian, C order; once per model input (default: from --seed)",
       [](Options& options, const std::string& text) { options.inputs.push_back(text); }},
      count_flag("--warmup", &Options::warmup, 0, kMaxExecutions, "least number of warm-up executions (default 3)"),
      count_flag("--max-warmup", &Options::max_warmup, 0, kMaxExecutions,
                 "most, where the times do not settle (default 30)"),
      count_flag("--runs", &Options::runs, 0, kMaxExecutions, "untraced executions to time (default 20)"),
      count_flag("--traced-runs", &Options::traced_runs, 0, kMaxExecutions,
                 "executions recorded in the ETDump (default 10)"),
      count_flag("--threads", &Options::threads, 1, kMaxThreads, "threads of the pool (default 1)"),
      {"--disable-cpu-features", "A,B", "CPU features to clear before XNNPACK is loaded, e.g. sme,sme2",
       [](Options& options, const std::string& text) {
         for (const auto& name : split(text, ',')) options.disable_cpu_features.push_back(name);
       }},
      {"--seed", "N", "seed of the inputs (default 0)",
       [](Options& options, const std::string& text) {
         options.seed = parse_number("--seed", text, 0, std::numeric_limits<std::uint64_t>::max());
       }},
      text_flag("--etdump", "FILE", &Options::etdump, "where to write the trace"),
      text_flag("--result", "FILE", &Options::result, "where to write the result as JSON (default: standard output)"),
      text_flag("--outputs-dir", "DIR", &Options::outputs_dir, "where to write the outputs' bytes"),
  };
  return all;
}

} // namespace

std::string usage(const std::string& program) {
  std::string text = "usage: " + program + " --model FILE [flags]\n\n"
      "Executes an ExecuTorch program: warm-up, untraced executions (latency), then traced\n"
      "ones (operators), and writes the times as JSON.\n\nflags:\n";
  for (const auto& flag : flags()) {
    std::string head = std::string("  ") + flag.name + " " + flag.value;
    head.resize(std::max<std::size_t>(head.size() + 2, 30), ' ');
    text += head + flag.help + "\n";
  }
  return text + "  --take-turns                execute when standard input says so, and answer on standard output\n"
      "  --cpu-features              only print what the system says about the CPU\n"
      "  --help                      this text\n\n"
      "exit status: 0 done, 1 the model failed while running, 2 you can fix it\n";
}

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    std::string value;
    if (name == "--help" || name == "-h") {
      options.help = true;
      return options;
    }
    if (name == "--cpu-features") {
      options.cpu_features = true;
      return options;
    }
    if (name == "--take-turns") {
      options.take_turns = true;
      continue;
    }
    const auto equals = name.find('=');
    const bool joined = name.rfind("--", 0) == 0 && equals != std::string::npos;
    if (joined) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    const auto flag = std::find_if(flags().begin(), flags().end(), [&](const Flag& f) { return name == f.name; });
    if (flag == flags().end()) {
      std::vector<std::string> names;
      for (const auto& known : flags()) names.emplace_back(known.name);
      names.insert(names.end(), {"--take-turns", "--cpu-features", "--help"});
      throw UserError(name + " is not a flag" + did_you_mean(name, names), kWhere, "see --help");
    }
    if (!joined) {
      if (++i == argc) throw UserError(name + " needs a value", kWhere, "see --help");
      value = argv[i];
    }
    flag->set(options, value);
  }
  if (options.model.empty()) throw UserError("--model is missing", kWhere, "name the .pte to run");
  if (options.traced_runs > 0 && options.etdump.empty()) {
    throw UserError("--traced-runs without --etdump", kWhere, "say where the trace goes, or --traced-runs 0");
  }
  if (options.take_turns && options.result.empty()) {
    throw UserError("--take-turns without --result", kWhere, "say where the result goes: standard output has the turns");
  }
  return options;
}

} // namespace runner
