// SPDX-License-Identifier: Apache-2.0
// A program in the place of executor_runner that fails as its last argument says. It prints what the
// real one prints, so that the pipeline has no other reason to complain than the one under test.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unistd.h>

#ifdef NEEDS_LIBRARY
extern "C" int from_the_library();
#endif

static std::string value(int argc, char** argv, const char* flag) {
  const size_t length = std::strlen(flag);
  for (int i = 1; i < argc; ++i)
    if (std::strncmp(argv[i], flag, length) == 0) return argv[i] + length;
  return "";
}

int main(int argc, char** argv) {
#ifdef NEEDS_LIBRARY
  if (from_the_library() != 42) return 3;
#endif
  const std::string how = argv[argc - 1];
  if (how == "--fails=SIGILL") std::raise(SIGILL);
  if (how == "--fails=SIGKILL") std::raise(SIGKILL);
  if (how == "--fails=sleep") sleep(600);
  if (how == "--fails=full") {
    std::FILE* file = std::fopen(value(argc, argv, "--etdump_path=").c_str(), "w");
    static char block[1 << 16];
    while (file && std::fwrite(block, 1, sizeof block, file) == sizeof block) {
    }
    std::fprintf(stderr, "E 00:00:00.000000 executorch:executor_runner.cpp:1] Failed to write the ETDump\n");
    return 1;
  }
  const int count = std::atoi(value(argc, argv, "--num_executions=").c_str());
  for (int i = 1; i <= count; ++i)
    std::fprintf(stderr, "I 00:00:00.000000 executorch:executor_runner.cpp:1] Iteration %d of %d: 1.%d ms\n", i, count, i);
  return 0;  // and leaves no ETDump
}
