// CRC32C on x86-64. The build asks for no more than the baseline processor; each function here
// names the instructions that it needs, and is offered only where they exist.
module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

module millrace.base;

namespace millrace::castagnoli {

#if defined(__x86_64__)

namespace {

// The product of two reversed 32-bit polynomials by PCLMULQDQ comes out times x, and reducing it by
// the crc32 instruction multiplies by x^32 more. So this factor carries a checksum forward over
// `bits` bits.
constexpr std::uint32_t factor_over(std::uint64_t bits) {
  return x_to_the(bits - 33);
}

std::uint64_t load(const std::byte* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// The crc32 instruction answers after three cycles but starts one each cycle: three lanes side by
// side, of the same length, keep it busy. Then the first two checksums are carried over what
// follows them.
constexpr std::size_t lane_words_max = 128;
constexpr std::size_t lanes_bytes_min = 72;

struct LaneFactors {
  std::uint64_t over_two_lanes = 0;
  std::uint64_t over_one_lane = 0;
};

constexpr std::array<LaneFactors, lane_words_max + 1> make_lane_factors() {
  std::array<LaneFactors, lane_words_max + 1> factors{};
  const std::uint32_t word = x_to_the(64);
  std::uint32_t one_lane = factor_over(64);
  std::uint32_t two_lanes = factor_over(128);
  for (std::size_t words = 1; words <= lane_words_max; ++words) {
    factors[words] = {two_lanes, one_lane};
    one_lane = multiply(one_lane, word);
    two_lanes = multiply(multiply(two_lanes, word), word);
  }
  return factors;
}

constexpr std::array<LaneFactors, lane_words_max + 1> lane_factors = make_lane_factors();

[[gnu::target("sse4.2,pclmul")]] inline std::uint64_t carry(std::uint64_t state,
                                                            std::uint64_t factor) {
  const __m128i product =
      _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<std::int64_t>(state)),
                           _mm_cvtsi64_si128(static_cast<std::int64_t>(factor)), 0x00);
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(product));
}

// Three lanes of `words` 64-bit words each.
[[gnu::target("sse4.2,pclmul")]] inline std::uint64_t extend_lanes(std::uint64_t first,
                                                                   const std::byte* data,
                                                                   std::size_t words) {
  const std::size_t lane = words * 8;
  const std::byte* const last = data + lane - 8;
  std::uint64_t second = 0;
  std::uint64_t third = 0;
  for (; data != last; data += 8) {
    first = _mm_crc32_u64(first, load(data));
    second = _mm_crc32_u64(second, load(data + lane));
    third = _mm_crc32_u64(third, load(data + 2 * lane));
  }
  first = _mm_crc32_u64(first, load(last));
  second = _mm_crc32_u64(second, load(last + lane));
  const std::uint64_t carried = carry(first, lane_factors[words].over_two_lanes) ^
                                carry(second, lane_factors[words].over_one_lane);
  return _mm_crc32_u64(third, load(last + 2 * lane) ^ carried);
}

[[gnu::target("sse4.2,pclmul")]] std::uint32_t extend_by_crc32(std::uint32_t crc,
                                                               const std::byte* data,
                                                               std::size_t size) {
  std::uint64_t state = ~crc;
  while (size >= lanes_bytes_min) {
    const std::size_t words = std::min(size / 24, lane_words_max);
    state = extend_lanes(state, data, words);
    data += words * 24;
    size -= words * 24;
  }
  for (; size >= 8; data += 8, size -= 8) state = _mm_crc32_u64(state, load(data));
  auto narrow = static_cast<std::uint32_t>(state);
  if ((size & 4) != 0) {
    std::uint32_t word;
    std::memcpy(&word, data, sizeof word);
    narrow = _mm_crc32_u32(narrow, word);
    data += 4;
  }
  for (size &= 3; size > 0; ++data, --size) {
    narrow = _mm_crc32_u8(narrow, static_cast<std::uint8_t>(*data));
  }
  return ~narrow;
}

// Folding: sixteen lanes of 128 bits in four registers. Each step carries every lane over the 2,048
// bits to its next place; at the end all are carried to the place of the last lane and reduced
// there.
constexpr std::size_t fold_bytes = 256;
constexpr std::size_t fold_bytes_min = 512;
constexpr std::size_t fold_lanes = fold_bytes / 16;

// For a lane of 128 bits: its first 64 bits have 64 bits more to go.
struct alignas(16) FoldFactors {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};
constexpr FoldFactors fold_factors_over(std::uint64_t bits) {
  return {factor_over(bits + 64), factor_over(bits)};
}
constexpr FoldFactors step_factors = fold_factors_over(fold_bytes * 8);

struct alignas(64) FinalFactors {
  std::array<FoldFactors, fold_lanes> lanes;
};
// The last lane stays where it is and is not multiplied: zero.
constexpr FinalFactors make_final_factors() {
  FinalFactors factors{};
  for (std::size_t lane = 0; lane + 1 < fold_lanes; ++lane) {
    factors.lanes[lane] = fold_factors_over((fold_lanes - 1 - lane) * 128);
  }
  return factors;
}
constexpr FinalFactors final_factors = make_final_factors();

[[gnu::target("avx512f,avx512vl,vpclmulqdq")]] inline __m512i fold(__m512i lanes, __m512i factors,
                                                                   __m512i onto) {
  constexpr int exclusive_or_of_three = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(lanes, factors, 0x00),
                                   _mm512_clmulepi64_epi128(lanes, factors, 0x11), onto,
                                   exclusive_or_of_three);
}

[[gnu::target("avx512f,avx512vl,vpclmulqdq,sse4.2,pclmul")]] std::uint32_t extend_by_folding(
    std::uint32_t crc, const std::byte* data, std::size_t size) {
  if (size < fold_bytes_min) return extend_by_crc32(crc, data, size);
  __m512i a =
      _mm512_xor_si512(_mm512_loadu_si512(data),
                       _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<std::int32_t>(~crc))));
  __m512i b = _mm512_loadu_si512(data + 64);
  __m512i c = _mm512_loadu_si512(data + 128);
  __m512i d = _mm512_loadu_si512(data + 192);
  const __m512i step =
      _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(&step_factors)));
  for (data += fold_bytes, size -= fold_bytes; size >= fold_bytes;
       data += fold_bytes, size -= fold_bytes) {
    a = fold(a, step, _mm512_loadu_si512(data));
    b = fold(b, step, _mm512_loadu_si512(data + 64));
    c = fold(c, step, _mm512_loadu_si512(data + 128));
    d = fold(d, step, _mm512_loadu_si512(data + 192));
  }
  const FoldFactors* factors = final_factors.lanes.data();
  const __m128i last_lane = _mm512_extracti32x4_epi32(d, 3);
  __m512i all = fold(a, _mm512_load_si512(factors), _mm512_setzero_si512());
  all = fold(b, _mm512_load_si512(factors + 4), all);
  all = fold(c, _mm512_load_si512(factors + 8), all);
  all = fold(d, _mm512_load_si512(factors + 12), all);
  const __m256i half =
      _mm256_xor_si256(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  const __m128i lane = _mm_xor_si128(
      last_lane, _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
  std::uint64_t state = _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(lane)));
  state = _mm_crc32_u64(state, static_cast<std::uint64_t>(_mm_extract_epi64(lane, 1)));
  return extend_by_crc32(~static_cast<std::uint32_t>(state), data, size);
}

}  // namespace

void append_x86_implementations(ImplementationList& list) {
  __builtin_cpu_init();
  const bool has_crc32 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
  const bool has_folding = __builtin_cpu_supports("avx512f") &&
                           __builtin_cpu_supports("avx512vl") &&
                           __builtin_cpu_supports("vpclmulqdq");
  if (has_crc32 && has_folding) {
    list.append({"AVX-512 VPCLMULQDQ", &extend_by_folding});
  }
  if (has_crc32) list.append({"SSE4.2 and PCLMULQDQ", &extend_by_crc32});
}

#else

void append_x86_implementations(ImplementationList&) {}

#endif

}  // namespace millrace::castagnoli
