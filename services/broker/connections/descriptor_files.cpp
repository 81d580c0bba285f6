module;
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

module millrace.broker.connections;

import millrace.base;
import millrace.runtime;

namespace millrace::broker {

bool DescriptorFiles::start(IoOperation& operation) {
  const auto fail = [&](IoFault fault, int number) {
    operation.failed_ = true;
    operation.error_ = {
        .fault = fault, .number = number, .operation = name_of(operation.kind_), .done = 0};
  };
  if (operation.kind_ != IoKind::read) {
    fail(IoFault::invalid, 0);
    return true;
  }
  std::size_t done = 0;
  while (done < operation.buffer_.size()) {
    const ssize_t count =
        ::pread(operation.file_.value(), operation.buffer_.data() + done,
                operation.buffer_.size() - done, static_cast<off_t>(operation.position_ + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      fail(fault_of(errno), errno);
      return true;
    }
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  operation.value_ = done;
  return true;
}

}  // namespace millrace::broker
