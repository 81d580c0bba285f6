// Randomness that is handed in. The same seed gives the same numbers on every machine and in every
// build, so that a seed replays a test; for jitter, simulation and choices, never for secrets.
module;
#include <cstdint>

export module millrace.runtime:random;

export namespace millrace {

// SplitMix64: a counter through a mixing function. One owner, one thread.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  [[nodiscard]] inline std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    return mixed ^ (mixed >> 31);
  }

  // From 0 to `limit` - 1; 0 if the limit is 0. The bias of the multiplication does not matter
  // here.
  [[nodiscard]] inline std::uint64_t below(std::uint64_t limit) {
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * limit) >> 64);
  }

  // From 0 up to, not including, 1.
  [[nodiscard]] inline double fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // True with this probability; takes no number when the answer is certain.
  [[nodiscard]] inline bool chance(double probability) {
    if (probability <= 0) return false;
    return probability >= 1 || fraction() < probability;
  }

 private:
  __extension__ using Wide = unsigned __int128;

  std::uint64_t state_;
};

}  // namespace millrace
