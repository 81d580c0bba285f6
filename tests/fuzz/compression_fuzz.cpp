// Decompression of anything, and compression of anything and back. The first byte of an input
// chooses the codec (low three bits, modulo 5) and what is done (highest bit: there and back), the
// second how it is read.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

import millrace.base;
import millrace.protocol.compression;

using namespace millrace;
using namespace millrace::protocol;

namespace {

using Bytes = std::vector<std::byte>;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

struct Outcome {
  Bytes output;
  bool failed = false;
  CompressionError error;
};

Outcome failed(Bytes output, CompressionError error) {
  return Outcome{std::move(output), true, error};
}

Outcome by_next(Decompressor& decompressor, std::size_t keep_max) {
  Bytes output;
  std::size_t keep = 0;
  while (true) {
    const auto view = decompressor.next(keep);
    if (!view) return failed(std::move(output), view.error());
    require(view->size() >= keep, "the kept bytes are in the view");
    for (std::size_t i = 0; i < keep; ++i) {
      require((*view)[i] == output[output.size() - keep + i], "the kept bytes are unchanged");
    }
    if (view->size() == keep) break;
    output.insert(output.end(), view->begin() + static_cast<std::ptrdiff_t>(keep), view->end());
    keep = view->size() < keep_max ? view->size() : keep_max;
  }
  require(decompressor.finished(), "no new bytes means finished");
  return Outcome{std::move(output), false, {}};
}

Outcome by_read(Decompressor& decompressor, std::size_t piece) {
  Bytes output;
  Bytes buffer(piece);
  while (true) {
    const auto count = decompressor.read(buffer);
    if (!count) return failed(std::move(output), count.error());
    output.insert(output.end(), buffer.begin(),
                  buffer.begin() + static_cast<std::ptrdiff_t>(*count));
    if (*count < piece) break;
  }
  require(decompressor.finished(), "a short read means finished");
  return Outcome{std::move(output), false, {}};
}

void decompress(Codec codec, unsigned how, ByteView input) {
  static Decompressor decompressor;
  DecompressionLimits limits;
  limits.output_bytes_max = 300'000;
  limits.ratio_max = 100;
  limits.ratio_free_bytes = (how & 1) != 0 ? 1'000 : 100'000;
  limits.steps_max = (how & 2) != 0 ? 20 : 1'000;
  const std::uint64_t allowed = output_bytes_allowed(limits, input.size());
  const auto started = decompressor.start(codec, input, limits);
  if (!started) {
    require(started.error().position <= input.size(), "the position lies in the input");
    require(!decompressor.next().has_value(), "a failure stays");
    return;
  }
  const Outcome first = by_next(decompressor, (how & 4) != 0 ? 0 : 1'000);
  require(decompressor.output_bytes() <= allowed, "the limit holds");
  require(decompressor.memory_bytes() <= 8 * mebibyte, "memory is bounded");
  require(decompressor.start(codec, input, limits).has_value(), "what began once begins again");
  const Outcome second = by_read(decompressor, (how & 8) != 0 ? 70'000 : 100);
  require(first.failed == second.failed, "both ways of reading agree on failure");
  if (first.failed) {
    require(first.error.position <= input.size(), "the position lies in the input");
    // zstd names less when it has room for a whole frame.
    require(first.error.fault == second.error.fault || codec == Codec::zstd,
            "both ways of reading find the same fault");
  } else {
    require(first.output == second.output, "both ways of reading give the same");
  }
}

CompressionOptions options_of(Codec codec, unsigned how) {
  if (codec == Codec::snappy && (how & 1) != 0) return CompressionOptions::raw_snappy();
  const auto levels = levels_of(codec);
  if (!levels) return CompressionOptions(codec);
  const auto span = levels->max.value() > 12 ? 12 : levels->max.value();
  const CompressionLevel level(1 + static_cast<int>(how % static_cast<unsigned>(span)));
  return CompressionOptions::with_level(codec, level).value();
}

void there_and_back(Codec codec, unsigned how, ByteView input) {
  static Compressor compressor;
  static Decompressor decompressor;
  const CompressionOptions options = options_of(codec, how);
  const std::size_t cut = how < input.size() ? how : input.size() / 2;
  const ByteView pieces[] = {input.first(cut), ByteView(), input.subspan(cut)};
  Bytes packed(compressed_bytes_max(options, input.size()));
  const auto size = compressor.compress(options, pieces, packed);
  require(size.has_value(), "compression within the bound succeeds");
  packed.resize(*size);
  require(decompressor.start(codec, packed, {}).has_value(), "what we wrote begins well");
  const Outcome back = by_next(decompressor, 0);
  require(!back.failed, "what we wrote is read");
  require(back.output.size() == input.size(), "as much comes back");
  for (std::size_t i = 0; i < input.size(); ++i) {
    require(back.output[i] == input[i], "the same comes back");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto codec = static_cast<Codec>((data[0] & codec_bits_mask) % 5);
  const ByteView input(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  if ((data[0] & 0x80) != 0) {
    there_and_back(codec, data[1], input);
  } else {
    decompress(codec, data[1], input);
  }
  return 0;
}
