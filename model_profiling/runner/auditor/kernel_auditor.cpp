// SPDX-License-Identifier: Apache-2.0
// The kernel auditor: records which KleidiAI kernels XNNPACK calls, in an unmodified wheel.
//
// glibc loads it where LD_AUDIT names it (see rtld-audit(7)) and asks it about every call
// that one library makes into another, or into itself, through its procedure linkage
// table. KleidiAI's kernels are exported functions, so XNNPACK calls them that way. The
// file that SME_KERNEL_RECORD names is written when the process ends; README.md describes
// its format. Without that variable the auditor leaves the process alone.
//
// This library lives in a link namespace of its own, with its own C library, and must not
// disturb what it observes: it takes no lock, allocates whole pages only, and needs nothing
// of the C++ library.

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

constexpr char kRecordVariable[] = "SME_KERNEL_RECORD";
constexpr char kMagic[] = "SMEKERN1";
constexpr char kObserved[] = "libexecutorch_backend_xnnpack.so";
constexpr char kClock[] = "clock_gettime";
constexpr char kParallelize[] = "pthreadpool_parallelize_";
constexpr char kKernel[] = "kai_run_";

struct Event {
  std::uint64_t time_ns;
  const char* name; // in the observed library's string table, which outlives the record
  std::uint32_t thread;
};

constexpr std::size_t kChunkEvents = std::size_t{1} << 16;
// 32 million events, far more than a few executions of any model; later ones are counted as lost.
constexpr std::size_t kMostChunks = 512;
constexpr std::size_t kMostNames = 1024; // the wheel has some 60 kernels

std::atomic<Event*> chunks[kMostChunks];
std::atomic<std::uint64_t> event_count{0};
std::atomic<std::uint64_t> lost_count{0};
const char* record_path = nullptr;

bool starts_with(const char* text, const char* prefix) { return std::strncmp(text, prefix, std::strlen(prefix)) == 0; }

bool is_observed(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return starts_with(slash != nullptr ? slash + 1 : path, kObserved);
}

bool is_recorded(const char* symbol) {
  return starts_with(symbol, kKernel) || starts_with(symbol, kParallelize) || std::strcmp(symbol, kClock) == 0;
}

// Returns where event `index` is kept, or null where there is no memory for it.
Event* place_of(std::uint64_t index) {
  const auto number = static_cast<std::size_t>(index / kChunkEvents);
  if (number >= kMostChunks) return nullptr;
  Event* chunk = chunks[number].load(std::memory_order_acquire);
  if (chunk == nullptr) {
    void* fresh = mmap(nullptr, kChunkEvents * sizeof(Event), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED) return nullptr;
    if (chunks[number].compare_exchange_strong(chunk, static_cast<Event*>(fresh), std::memory_order_acq_rel)) {
      chunk = static_cast<Event*>(fresh);
    } else {
      munmap(fresh, kChunkEvents * sizeof(Event)); // another thread was first; `chunk` is its own now
    }
  }
  return chunk + index % kChunkEvents;
}

void record(const char* name) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Event* event = place_of(event_count.fetch_add(1, std::memory_order_relaxed));
  if (event == nullptr) {
    lost_count.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  event->time_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
  event->thread = static_cast<std::uint32_t>(syscall(SYS_gettid));
  event->name = name;
}

// A buffered file; after a failed write it stays silent, and the file is too short to be taken for whole.
class Output {
 public:
  explicit Output(int file) : file_(file) {}

  void write(const void* data, std::size_t size) {
    const char* bytes = static_cast<const char*>(data);
    while (size > 0 && !failed_) {
      if (used_ == sizeof(buffer_)) flush();
      const std::size_t part = size < sizeof(buffer_) - used_ ? size : sizeof(buffer_) - used_;
      std::memcpy(buffer_ + used_, bytes, part);
      used_ += part;
      bytes += part;
      size -= part;
    }
  }

  void flush() {
    for (std::size_t done = 0; done < used_ && !failed_;) {
      const ssize_t written = ::write(file_, buffer_ + done, used_ - done);
      failed_ = written <= 0;
      if (!failed_) done += static_cast<std::size_t>(written);
    }
    used_ = 0;
  }

 private:
  int file_;
  std::size_t used_ = 0;
  bool failed_ = false;
  char buffer_[1 << 16];
};

// The distinct names, numbered as they appear. One name may lie at several addresses.
class Names {
 public:
  std::uint32_t number_of(const char* name) {
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (names_[i] == name || std::strcmp(names_[i], name) == 0) return i;
    }
    if (count_ == kMostNames) return 0; // not reached: no wheel exports so many kernels
    names_[count_] = name;
    return count_++;
  }
  std::uint32_t count() const { return count_; }
  const char* operator[](std::uint32_t i) const { return names_[i]; }

 private:
  const char* names_[kMostNames];
  std::uint32_t count_ = 0;
};

// Too large for the stack of a process that ends; used once.
Names names;

std::uint64_t kept_events() {
  const std::uint64_t most = kMostChunks * kChunkEvents;
  const std::uint64_t count = event_count.load(std::memory_order_acquire);
  return count < most ? count : most;
}

template <typename Visit>
void each_event(Visit visit) {
  for (std::uint64_t i = 0, count = kept_events(); i < count; ++i) {
    const Event* chunk = chunks[i / kChunkEvents].load(std::memory_order_acquire);
    if (chunk != nullptr && chunk[i % kChunkEvents].name != nullptr) visit(chunk[i % kChunkEvents]);
  }
}

void write_record(Output& output) {
  std::uint64_t written = 0;
  each_event([&](const Event& event) {
    names.number_of(event.name);
    ++written;
  });
  const std::uint64_t counts[] = {names.count(), written, lost_count.load(std::memory_order_acquire)};
  output.write(kMagic, sizeof(kMagic) - 1);
  output.write(counts, sizeof(counts));
  for (std::uint32_t i = 0; i < names.count(); ++i) output.write(names[i], std::strlen(names[i]) + 1);
  each_event([&](const Event& event) {
    const std::uint32_t tail[] = {event.thread, names.number_of(event.name)};
    output.write(&event.time_ns, sizeof(event.time_ns));
    output.write(tail, sizeof(tail));
  });
  output.flush();
}

__attribute__((destructor)) void finish() {
  if (record_path == nullptr) return;
  const int file = open(record_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return; // the kit reports the missing record
  static Output output(file);
  write_record(output);
  close(file);
}

} // namespace

extern "C" {

// A glibc of an older audit interface passes other registers: it is told to do without us.
unsigned la_version(unsigned version) {
  record_path = std::getenv(kRecordVariable);
  return record_path != nullptr && version >= LAV_CURRENT ? LAV_CURRENT : 0;
}

unsigned la_objopen(link_map* map, Lmid_t, std::uintptr_t*) {
  return is_observed(map->l_name) ? LA_FLG_BINDFROM | LA_FLG_BINDTO : LA_FLG_BINDTO;
}

std::uintptr_t la_symbind64(Elf64_Sym* symbol, unsigned, std::uintptr_t*, std::uintptr_t*, unsigned* flags,
                            const char* name) {
  *flags |= LA_SYMB_NOPLTEXIT | (is_recorded(name) ? 0u : unsigned{LA_SYMB_NOPLTENTER});
  return symbol->st_value;
}

Elf64_Addr la_aarch64_gnu_pltenter(Elf64_Sym* symbol, unsigned, std::uintptr_t*, std::uintptr_t*,
                                   La_aarch64_regs*, unsigned*, const char* name, long*) {
  record(name);
  return symbol->st_value;
}

} // extern "C"
