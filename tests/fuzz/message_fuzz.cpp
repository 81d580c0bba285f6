// Any bytes as any message: the first byte chooses the message, the second the version, the rest is
// read. The generated codec must agree with the table-driven one, and must read back what it wrote.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "agreement.hpp"

// This one imports modules: it comes after all that includes standard headers.
#include "generated_codecs.hpp"

namespace millrace::table {
namespace {

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

struct Subjects {
  std::vector<Message> messages;
  std::vector<protocol::GeneratedCodec> codecs;
  std::vector<Subject> all;

  Subjects() : codecs(protocol::generated_codecs()) {
    auto schemas = read_schemas(MILLRACE_SOURCE_DIR "/modules/protocol/schema");
    if (!schemas) die(schemas.error());
    messages = std::move(*schemas);
    auto paired = pair_up(messages, codecs);
    if (!paired) die(paired.error());
    all = std::move(*paired);
  }
};

void check(const Subject& subject, int version, std::string_view input) {
  if (const auto found = disagreement(subject, version, input, CompareJson::no)) die(*found);
  const auto first = run_generated(subject, version, input);
  if (!first) return;
  const auto second = run_generated(subject, version, first->bytes);
  const std::string name = subject.message->name + " version " + std::to_string(version);
  if (!second) die(name + " does not read what it wrote: " + second.error());
  if (second->bytes != first->bytes) die(name + " writes other bytes the second time");
  if (second->json != first->json) die(name + " means something else the second time");
}

}  // namespace
}  // namespace millrace::table

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::table;
  static const Subjects subjects;
  constexpr std::size_t head_bytes = 2;
  if (size < head_bytes) return 0;
  const Subject& subject = subjects.all[data[0] % subjects.all.size()];
  const Versions versions = subject.message->versions;
  const int version = versions.low + data[1] % (versions.high - versions.low + 1);
  check(subject, version, {reinterpret_cast<const char*>(data) + head_bytes, size - head_bytes});
  return 0;
}
