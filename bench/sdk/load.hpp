// What the clients that bench/sdk measures have in common: what they are asked to do, and how they
// tell what they measured.
#pragma once

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::bench {

inline constexpr auto patience = std::chrono::seconds(60);
// Of what a run counts, so much is done before it counts: caches, buffers and connections are there
// then.
inline constexpr std::uint64_t warm_up_divisor = 4;

inline void must(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

inline std::uint64_t number(const std::string& word) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  must(error == std::errc() && end == word.data() + word.size(), "not a number: " + word);
  return value;
}

// MODE BOOTSTRAP TOPIC A B [NAME=VALUE...]
struct Load {
  std::string mode;
  std::string bootstrap;
  std::string topic;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::vector<std::pair<std::string, std::string>> settings = {};
};

inline Load load_from(int count, char** words) {
  must(count >= 6,
       "usage: create BOOTSTRAP TOPIC PARTITIONS 0\n"
       "       produce BOOTSTRAP TOPIC RECORDS BYTES [NAME=VALUE...]\n"
       "       consume BOOTSTRAP TOPIC RECORDS 0 [NAME=VALUE...]\n"
       "       latency BOOTSTRAP TOPIC RECORDS RECORDS_PER_SECOND [NAME=VALUE...]\n"
       "       flood BOOTSTRAP TOPIC BUDGET_BYTES SECONDS [NAME=VALUE...]");
  Load load{words[1], words[2], words[3], number(words[4]), number(words[5])};
  for (int i = 6; i < count; ++i) {
    const std::string word = words[i];
    const auto at = word.find('=');
    must(at != std::string::npos, "not NAME=VALUE: " + word);
    load.settings.emplace_back(word.substr(0, at), word.substr(at + 1));
  }
  return load;
}

inline void tell(std::string_view name, double value) {
  std::printf("%.*s %.4f\n", static_cast<int>(name.size()), name.data(), value);
  std::fflush(stdout);
}

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

inline void tell_rate(std::uint64_t records, std::uint64_t bytes, double seconds) {
  tell("records/s", static_cast<double>(records) / seconds);
  tell("MB/s", static_cast<double>(bytes) / 1e6 / seconds);
}

// --- Latency: each record carries the time at which it was given to the client. ---

inline constexpr std::size_t latency_record_bytes = 100;

inline std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

inline void stamp(std::array<char, latency_record_bytes>& value) {
  const std::int64_t now = now_ns();
  std::memcpy(value.data(), &now, sizeof now);
}

// Calls send() so many times a second. A call that comes late does not move those after it.
template <class Send>
double send_paced(std::uint64_t records, std::uint64_t per_second, const Send& send) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  const Stopwatch watch;
  const std::int64_t begin = now_ns();
  for (std::uint64_t i = 0; i < records; ++i) {
    const auto due =
        begin + static_cast<std::int64_t>(i) * second_ns / static_cast<std::int64_t>(per_second);
    const timespec until{.tv_sec = due / second_ns, .tv_nsec = due % second_ns};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    send();
  }
  return static_cast<double>(records) / watch.seconds();
}

class Latencies {
 public:
  explicit Latencies(std::uint64_t records) : records_(records) { all_.reserve(records); }

  [[nodiscard]] bool complete() const { return all_.size() >= records_; }

  void received(std::string_view value) {
    const std::int64_t now = now_ns();
    std::int64_t then = 0;
    must(value.size() == latency_record_bytes, "a record that nobody sent");
    std::memcpy(&then, value.data(), sizeof then);
    all_.push_back(static_cast<double>(now - then) / 1e6);
  }

  void tell_percentiles() {
    std::vector<double> counted(
        all_.begin() + static_cast<std::ptrdiff_t>(all_.size() / warm_up_divisor), all_.end());
    std::ranges::sort(counted);
    const auto percentile = [&](double part) {
      const auto at = static_cast<std::size_t>(part * static_cast<double>(counted.size()));
      return counted[std::min(at, counted.size() - 1)];
    };
    tell("p50_ms", percentile(0.5));
    tell("p99_ms", percentile(0.99));
    tell("p99.9_ms", percentile(0.999));
  }

 private:
  std::uint64_t records_;
  std::vector<double> all_;
};

// --- Memory. ---

// What this process has in memory: VmRSS now, VmHWM at its peak.
inline double status_mebibytes(std::string_view name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::strtod(line.c_str() + name.size() + 1, nullptr) / 1024;
  }
  must(false, "/proc/self/status does not tell it");
  return 0;
}

}  // namespace millrace::bench
