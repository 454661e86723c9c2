// SPDX-License-Identifier: Apache-2.0
#include "warmup.h"

#include <algorithm>

namespace runner {
namespace {

constexpr std::size_t kBlock = 3;
constexpr std::size_t kBlocksCompared = 3;
constexpr double kAgreement = 0.02;

std::int64_t median_of_block(std::vector<std::int64_t>::const_iterator first) {
  std::vector<std::int64_t> block(first, first + kBlock);
  std::nth_element(block.begin(), block.begin() + kBlock / 2, block.end());
  return block[kBlock / 2];
}

bool settled(const std::vector<std::int64_t>& times) {
  if (times.size() % kBlock != 0 || times.size() < kBlock * kBlocksCompared) return false;
  std::vector<std::int64_t> medians;
  for (std::size_t b = kBlocksCompared; b > 0; --b) medians.push_back(median_of_block(times.end() - b * kBlock));
  const auto [low, high] = std::minmax_element(medians.begin(), medians.end());
  return static_cast<double>(*high - *low) <= kAgreement * static_cast<double>(*low);
}

} // namespace

std::vector<std::int64_t> warm_up(unsigned least, unsigned most, const std::function<std::int64_t()>& execute) {
  std::vector<std::int64_t> times;
  most = std::max(least, most);
  while (times.size() < most && (times.size() < least || !settled(times))) times.push_back(execute());
  return times;
}

} // namespace runner
