// A stream of bytes from a stranger: however it is cut, the splitter gives the frames that a plain
// reading gives, and every frame's header ends in a value or an error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

import millrace.protocol.framing;

namespace {

using namespace millrace;
using namespace millrace::protocol;

constexpr std::size_t frame_bytes_max = 1 << 16;

// The frames of the stream, read in the plainest way; what is cut off at the end is no frame.
std::vector<ByteView> frames_of(ByteView stream, bool& refused) {
  std::vector<ByteView> frames;
  while (stream.size() >= frame_length_bytes) {
    const auto length = load_big_endian<std::int32_t>(stream.data());
    refused = length < 0 || static_cast<std::size_t>(length) > frame_bytes_max;
    if (refused) break;
    const auto size = static_cast<std::size_t>(length);
    if (stream.size() - frame_length_bytes < size) break;
    frames.push_back(stream.subspan(frame_length_bytes, size));
    stream = stream.subspan(frame_length_bytes + size);
  }
  return frames;
}

void read_header(ByteView frame) {
  const auto request = read_request_header(frame);
  if (request) {
    check(request->body.size() <= frame.size(), "the body lies within the frame");
  } else {
    check(!to_string(request.error()).empty(), "a refused header says why");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t at_once = std::size_t{1} + data[0];
  const ByteView stream(reinterpret_cast<const std::byte*>(data + 1), size - 1);
  bool expect_refused = false;
  const auto expected = frames_of(stream, expect_refused);

  BufferPool pool;
  FrameSplitter splitter(pool, frame_bytes_max);
  std::vector<Frame> frames;
  bool refused = false;
  for (ByteView rest = stream; !rest.empty() && !refused;) {
    const MutableBytes space = splitter.receive_space();
    const std::size_t count = std::min({rest.size(), at_once, space.size()});
    std::memcpy(space.data(), rest.data(), count);
    splitter.received(count);
    rest = rest.subspan(count);
    for (;;) {
      auto frame = splitter.next();
      refused = !frame.has_value();
      if (refused || !frame->has_value()) break;
      frames.push_back(std::move(**frame));
    }
  }
  check(refused == expect_refused, "a bad length is refused, a good one is not");
  check(frames.size() == expected.size(), "no frame is lost or made up");
  for (std::size_t i = 0; i < frames.size(); ++i) {
    check(std::ranges::equal(frames[i].bytes(), expected[i]), "a frame has its own bytes");
    read_header(frames[i].bytes());
  }
  return 0;
}
