// SPDX-License-Identifier: Apache-2.0
#include "inputs.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "errors.h"

namespace runner {
namespace {

// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014, with the
// constants of Vigna's public-domain splitmix64.c.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

// The upper `bits` of a draw as a fraction in [0, 1): exact in a type with that many
// significant bits, so that no rounding differs between languages.
double fraction(std::uint64_t draw, int bits) {
  return static_cast<double>(draw >> (64 - bits)) / static_cast<double>(std::uint64_t{1} << bits);
}

template <typename T>
void put(std::uint8_t* target, T value) {
  std::memcpy(target, &value, sizeof(value));
}

void put_draw(std::uint8_t* target, ScalarType type, std::size_t size, std::uint64_t draw) {
  switch (type) {
    case ScalarType::Double: put(target, fraction(draw, 53)); break;
    case ScalarType::Float: put(target, static_cast<float>(fraction(draw, 24))); break;
    case ScalarType::Half: put(target, executorch::aten::Half(static_cast<float>(fraction(draw, 11)))); break;
    case ScalarType::BFloat16: put(target, executorch::aten::BFloat16(static_cast<float>(fraction(draw, 8)))); break;
    default:
      std::memset(target, 0, size);
      target[0] = static_cast<std::uint8_t>(draw >> 63); // little-endian, as is every system the wheels support
  }
}

std::vector<std::uint8_t> read_file(const std::string& path, std::size_t expected) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = file ? static_cast<std::streamoff>(file.tellg()) : -1;
  if (size < 0) {
    throw UserError(std::string("the input cannot be read (") + std::strerror(errno) + ")", "at " + path,
                    "correct the path");
  }
  if (static_cast<std::size_t>(size) != expected) {
    throw UserError("the input has " + std::to_string(size) + " bytes, and the model takes " +
                        std::to_string(expected),
                    "at " + path, "give the raw bytes of the model's input");
  }
  std::vector<std::uint8_t> bytes(expected);
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), size);
  if (!file) throw UserError("the input cannot be read to its end", "at " + path, "check the disk");
  return bytes;
}

} // namespace

std::vector<std::vector<std::uint8_t>> read_inputs(const std::vector<std::string>& paths,
                                                   const std::vector<TensorSpec>& specs) {
  if (paths.size() != specs.size()) {
    throw UserError(std::to_string(paths.size()) + " input files for a model of " + std::to_string(specs.size()) +
                        " inputs",
                    "in --input", "give one file per input, or none for seeded ones");
  }
  std::vector<std::vector<std::uint8_t>> inputs;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    inputs.push_back(to_memory_order(specs[i], read_file(paths[i], specs[i].bytes()).data()));
  }
  return inputs;
}

std::vector<std::vector<std::uint8_t>> seeded_inputs(std::uint64_t seed, const std::vector<TensorSpec>& specs) {
  SplitMix64 random(seed);
  std::vector<std::vector<std::uint8_t>> inputs;
  for (const auto& spec : specs) {
    const std::size_t count = spec.elements();
    const std::size_t size = count == 0 ? 0 : spec.bytes() / count;
    std::vector<std::uint8_t> bytes(spec.bytes());
    for (std::size_t k = 0; k < count; ++k) put_draw(bytes.data() + k * size, spec.type, size, random.next());
    inputs.push_back(to_memory_order(spec, bytes.data()));
  }
  return inputs;
}

} // namespace runner
