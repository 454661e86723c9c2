// SPDX-License-Identifier: Apache-2.0
// The two ways the runner fails, with the exit statuses of every command of the kit.
#pragma once

#include <stdexcept>
#include <string>

namespace runner {

constexpr int kExitMeasurementFailed = 1;
constexpr int kExitUserError = 2;

// Something the user can fix: "what, where: how to fix", exit status 2.
class UserError : public std::runtime_error {
 public:
  UserError(const std::string& what, const std::string& where, const std::string& fix)
      : std::runtime_error(what + ", " + where + ": " + fix) {}
};

// The model was loaded but did not run: exit status 1.
class MeasurementError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

} // namespace runner
