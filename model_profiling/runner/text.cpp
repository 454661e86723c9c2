// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <algorithm>
#include <numeric>
#include <sstream>

namespace runner {
namespace {

// Levenshtein's distance: single-character edits from one word to the other.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row.back();
}

} // namespace

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

std::string one_line(const std::string& text) {
  std::string line = text;
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& choices) {
  std::size_t best = word.size() / 2 + 1; // farther than half the word is no likeness
  std::string found;
  for (const auto& choice : choices) {
    const std::size_t d = distance(word, choice);
    if (d < best) {
      best = d;
      found = choice;
    }
  }
  return found.empty() ? "" : " (did you mean " + found + "?)";
}

} // namespace runner
