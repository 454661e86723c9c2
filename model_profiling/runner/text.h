// SPDX-License-Identifier: Apache-2.0
// Small helpers on text.
#pragma once

#include <string>
#include <vector>

namespace runner {

// Splits at `separator`; empty parts are dropped.
std::vector<std::string> split(const std::string& text, char separator);

// Control characters folded to spaces, so that a message stays one line.
std::string one_line(const std::string& text);

// " (did you mean X?)" for the nearest of `choices`, or nothing when none is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& choices);

} // namespace runner
