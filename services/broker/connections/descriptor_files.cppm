// Files that are known by their descriptor alone.
module;
#include <cstddef>

export module millrace.broker.connections:descriptor_files;

import millrace.base;
import millrace.runtime;

export namespace millrace::broker {

// Responses name parts of files by descriptors of the process, because the shard that has opened a
// file may be another than the one that sends it; streams ask a FileSystem. Here a handle is the
// descriptor itself. It sends and reads, at once and in place; all else is refused.
class DescriptorFiles final : public FileSystem {
 public:
  [[nodiscard]] bool start(IoOperation& operation) override;
  [[nodiscard]] int descriptor(FileHandle file) const override { return file.value(); }
};

}  // namespace millrace::broker
