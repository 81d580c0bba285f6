module;
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.runtime.streams;

import millrace.base;
import millrace.runtime;

namespace millrace {
namespace {

// What send_range() holds in memory where it cannot do without.
constexpr std::size_t copied_bytes_at_once = 64 * kibibyte;

const char* operation_name(StreamKind kind) {
  switch (kind) {
    case StreamKind::read:
      return "read";
    case StreamKind::write:
      return "write";
    case StreamKind::send_file:
      return "send_file";
  }
  return "";
}

}  // namespace

std::string_view name_of(StreamFault fault) {
  switch (fault) {
    case StreamFault::closed:
      return "closed";
    case StreamFault::cancelled:
      return "cancelled";
    case StreamFault::timed_out:
      return "timed out";
    case StreamFault::reset:
      return "reset";
    case StreamFault::refused:
      return "refused";
    case StreamFault::unreachable:
      return "unreachable";
    case StreamFault::address_in_use:
      return "address in use";
    case StreamFault::denied:
      return "denied";
    case StreamFault::too_many_open:
      return "too many open";
    case StreamFault::file:
      return "file not read";
    case StreamFault::failed:
      return "failed";
  }
  return "unknown";
}

StreamFault stream_fault_of(int error_number) {
  switch (error_number) {
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
    case ENOTCONN:
    case ETIMEDOUT:  // the kernel gave up sending; a deadline of ours has no errno
      return StreamFault::reset;
    case ECONNREFUSED:
      return StreamFault::refused;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
      return StreamFault::unreachable;
    case EADDRINUSE:
      return StreamFault::address_in_use;
    case EACCES:
    case EPERM:
      return StreamFault::denied;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return StreamFault::too_many_open;
    case EIO:
      return StreamFault::file;  // sockets know no EIO
    default:
      return StreamFault::failed;
  }
}

std::string describe(const StreamError& error, const SocketAddress& peer) {
  std::string text = formatted("{} {}: {}", error.operation, peer, error.fault);
  if (error.number != 0) text += formatted(" (errno {})", error.number);
  return text;
}

StreamOperation::StreamOperation(ByteStream& stream, StreamKind kind, MonotonicTime deadline)
    : Callback([](Callback& self) {
        auto& operation = static_cast<StreamOperation&>(self);
        operation.posted_ = false;
        if (operation.ended_) {
          operation.awaiting_.resume();
        } else {
          operation.stream_.retry(&operation);
        }
      }),
      kind_(kind),
      stream_(stream),
      until_(deadline) {}

StreamOperation::Deadline::Deadline(StreamOperation& o)
    : Timer([](Timer& self) {
        StreamOperation& late = static_cast<Deadline&>(self).operation;
        late.fail(StreamFault::timed_out, 0, operation_name(late.kind_));
        late.stream_.end_later(late);
      }),
      operation(o) {}

bool StreamOperation::await_ready() {
  return stream_.start(*this);
}

ByteStream::~ByteStream() {
  check(reading_ == nullptr && writing_ == nullptr, "a stream outlives its operations");
}

bool ByteStream::start(StreamOperation& operation) {
  StreamOperation*& slot = pending(operation);
  check(slot == nullptr, "one operation of a direction is pending at a time");
  if (closed_) {
    operation.fail(StreamFault::closed, 0, operation_name(operation.kind_));
    return true;
  }
  unsigned& at_once = operation.kind_ == StreamKind::read ? reads_at_once_ : writes_at_once_;
  const Progress progress = attempt_once(operation);
  if (progress == Progress::ended && ++at_once < operations_at_once_max) return true;
  at_once = 0;
  slot = &operation;
  if (progress == Progress::ended) {
    end_later(operation);
    return false;
  }
  if (operation.until_ != no_deadline) executor_.arm(operation.deadline_, operation.until_);
  if (progress == Progress::again) post(operation);
  return false;
}

ByteStream::Progress ByteStream::attempt_once(StreamOperation& operation) {
  operation.attempting_ = true;
  const Progress progress = attempt(operation);
  operation.attempting_ = false;
  return progress;
}

void ByteStream::retry(StreamOperation* operation) {
  if (operation == nullptr || operation->posted_ || operation->attempting_) return;
  switch (attempt_once(*operation)) {
    case Progress::ended:
      end_later(*operation);
      break;
    case Progress::again:
      post(*operation);
      break;
    case Progress::blocked:
      break;
  }
}

void ByteStream::end_later(StreamOperation& operation) {
  pending(operation) = nullptr;
  operation.ended_ = true;
  if (operation.deadline_.armed()) executor_.cancel(operation.deadline_);
  if (!operation.posted_) post(operation);
}

void ByteStream::post(StreamOperation& operation) {
  operation.posted_ = true;
  executor_.post(operation);
}

void ByteStream::end_pending(StreamFault fault) {
  for (StreamOperation* operation : {reading_, writing_}) {
    if (operation == nullptr) continue;
    operation->fail(fault, 0, operation_name(operation->kind_));
    end_later(*operation);
  }
}

void ByteStream::cancel() {
  end_pending(StreamFault::cancelled);
}

void ByteStream::close() {
  if (std::exchange(closed_, true)) return;
  end_pending(StreamFault::closed);
  close_connection();
}

void ByteStream::close_at_end() {
  check(reading_ == nullptr && writing_ == nullptr, "a stream outlives its operations");
  if (!std::exchange(closed_, true)) close_connection();
}

Task<StreamResult<void>> send_range(ByteStream& stream, FileRange range, MonotonicTime deadline) {
  if (stream.takes_files() && range.files->descriptor(range.file) >= 0) {
    co_return co_await stream.send_file(range, deadline);
  }
  std::vector<std::byte> copy(
      static_cast<std::size_t>(std::min<std::uint64_t>(range.length, copied_bytes_at_once)));
  while (range.length > 0) {
    const MutableBytes buffer = MutableBytes(copy).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(range.length, copy.size())));
    const auto read = co_await range.files->read(range.file, range.position, buffer);
    if (!read || *read == 0) {
      co_return failure(StreamError{.fault = StreamFault::file,
                                    .number = read ? 0 : read.error().number,
                                    .operation = "send_range"});
    }
    range.position += *read;
    range.length -= *read;
    const std::array<ByteView, 1> pieces = {buffer.first(static_cast<std::size_t>(*read))};
    const auto written =
        co_await stream.write(pieces, range.length > 0 ? More::yes : More::no, deadline);
    if (!written) co_return failure(written.error());
  }
  co_return StreamResult<void>{};
}

}  // namespace millrace
