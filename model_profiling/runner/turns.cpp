// SPDX-License-Identifier: Apache-2.0
#include "turns.h"

#include <cstdio>
#include <iostream>
#include <string>

#include "errors.h"
#include "json.h"
#include "memory.h"
#include "usage.h"

namespace runner {
namespace {

constexpr std::uint64_t kMostExecutions = 10'000'000;

void answer(const std::vector<std::pair<std::string, std::string>>& members) {
  const auto line = json::object(members) + "\n";
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

std::string known(const std::optional<std::int64_t>& value) {
  return value ? json::number(*value) : "null";
}

// What turns are planned by.
void answer_ready(const Session& session) {
  answer({{"execution_ns", json::number(session.warm_ns())}, {"peak_rss_bytes", json::number(peak_rss_bytes())}});
}

void take_turn(Session& session, unsigned count) {
  const auto before = usage_now();
  const auto start = now_ns();
  const auto times = session.execute(count);
  const auto wall = now_ns() - start;
  const auto after = usage_now();
  std::optional<std::int64_t> steal;
  if (before.steal_ns && after.steal_ns) steal = *after.steal_ns - *before.steal_ns;
  answer({{"ns", json::list(times, json::number)},
          {"wall_ns", json::number(wall)},
          {"cpu_ns", json::number(after.cpu_ns - before.cpu_ns)},
          {"involuntary_switches", json::number(after.involuntary_switches - before.involuntary_switches)},
          {"steal_ns", known(steal)},
          {"frequency_khz", known(frequency_khz())}});
}

unsigned count_of(const std::string& word) {
  const bool digits = !word.empty() && word.size() <= 8 && word.find_first_not_of("0123456789") == std::string::npos;
  const auto count = digits ? std::stoul(word) : 0;
  if (count == 0 || count > kMostExecutions) {
    throw MeasurementError("\"turn " + word + "\" names no number of executions");
  }
  return static_cast<unsigned>(count);
}

} // namespace

Measurement take_turns(const Options& options) {
  Session session(options);
  session.begin_timed();
  answer_ready(session);
  for (std::string line; std::getline(std::cin, line);) {
    if (line.rfind("turn ", 0) == 0) {
      take_turn(session, count_of(line.substr(5)));
    } else if (line == "trace") {
      session.begin_traced();
      answer_ready(session);
    } else if (line == "end") {
      return session.finish();
    } else {
      throw MeasurementError("\"" + line + "\" is no command of a process that takes turns");
    }
  }
  throw MeasurementError("the program that gave the turns has ended");
}

} // namespace runner
