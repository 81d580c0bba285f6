module;
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

module millrace.runtime.streams;

import millrace.base;
import millrace.runtime;
import millrace.runtime.shard;

namespace millrace {
namespace {

// Pieces that one system call takes; the system allows 1024.
constexpr std::size_t pieces_at_once_max = 64;

struct Gathered {
  std::array<iovec, pieces_at_once_max> pieces;
  std::size_t count = 0;
  std::size_t bytes = 0;
  bool is_all = true;
};

// The next of what is left, up to `bytes_max`.
Gathered gather(const StreamOperation& operation, std::size_t bytes_max) {
  Gathered gathered;
  std::size_t done = operation.piece_done_;
  for (std::size_t i = operation.piece_; i < operation.pieces_.size(); ++i) {
    const ByteView rest = operation.pieces_[i].subspan(done);
    done = 0;
    if (rest.empty()) continue;
    if (gathered.count == gathered.pieces.size() || gathered.bytes == bytes_max) {
      gathered.is_all = false;
      break;
    }
    const ByteView taken = rest.first(std::min(rest.size(), bytes_max - gathered.bytes));
    gathered.pieces[gathered.count++] = {const_cast<std::byte*>(taken.data()), taken.size()};
    gathered.bytes += taken.size();
    if (taken.size() < rest.size()) {
      gathered.is_all = false;
      break;
    }
  }
  return gathered;
}

void advance(StreamOperation& operation, std::size_t bytes) {
  operation.done_ += bytes;
  while (bytes > 0) {
    const std::size_t left = operation.pieces_[operation.piece_].size() - operation.piece_done_;
    const std::size_t step = std::min(left, bytes);
    bytes -= step;
    operation.piece_done_ += step;
    if (step < left) return;
    ++operation.piece_;
    operation.piece_done_ = 0;
  }
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this == &other) return *this;
  close();
  descriptor_ = other.release();
  return *this;
}

int Socket::release() {
  return std::exchange(descriptor_, -1);
}

void Socket::close() {
  if (descriptor_ >= 0) ::close(release());
}

StreamResult<std::unique_ptr<ByteStream>> TcpStream::make(ShardLoop& loop, Socket socket,
                                                          const SocketAddress& local,
                                                          const SocketAddress& peer) {
  std::unique_ptr<TcpStream> stream(new TcpStream(loop, std::move(socket), local, peer));
  if (!loop.watch(stream->watch_, stream->socket_.descriptor())) {
    return failure(
        StreamError{.fault = StreamFault::too_many_open, .number = errno, .operation = "watch"});
  }
  return std::unique_ptr<ByteStream>(std::move(stream));
}

TcpStream::TcpStream(ShardLoop& loop, Socket socket, const SocketAddress& local,
                     const SocketAddress& peer)
    : ByteStream(loop, local, peer), loop_(loop), socket_(std::move(socket)) {}

void TcpStream::tell(SocketWatch::Ready ready) {
  can_read_ = can_read_ || ready.to_read;
  can_write_ = can_write_ || ready.to_write;
  is_ended_ = is_ended_ || ready.is_ended;
  if (ready.to_write) retry_write();
  if (ready.to_read) retry_read();
}

void TcpStream::shutdown_writes() {
  // It fails only where the peer broke the connection, as the next read will tell.
  if (!is_closed()) static_cast<void>(::shutdown(socket_.descriptor(), SHUT_WR));
}

void TcpStream::close_connection() {
  if (watch_.active()) loop_.unwatch(watch_);
  socket_.close();
}

TcpStream::Progress TcpStream::attempt(StreamOperation& operation) {
  switch (operation.kind_) {
    case StreamKind::read:
      return read(operation);
    case StreamKind::write:
      return write(operation);
    case StreamKind::send_file:
      return send_file(operation);
  }
  return Progress::ended;
}

TcpStream::Progress TcpStream::after_error(StreamOperation& operation, bool& ready,
                                           const char* name) {
  const int number = errno;
  if (number == EAGAIN || number == EWOULDBLOCK) {
    ready = false;
    return Progress::blocked;
  }
  operation.fail(stream_fault_of(number), number, name);
  return Progress::ended;
}

TcpStream::Progress TcpStream::read(StreamOperation& operation) {
  check(!operation.buffer_.empty(), "a read has room for a byte");
  if (!can_read_) return Progress::blocked;
  ssize_t count = 0;
  do {
    count = ::recv(socket_.descriptor(), operation.buffer_.data(), operation.buffer_.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return after_error(operation, can_read_, "read");
  operation.done_ = static_cast<std::size_t>(count);
  // Less than there was room for: nothing is left, and whatever comes will be told; but not an end
  // that was told already.
  if (operation.done_ < operation.buffer_.size() && !is_ended_) can_read_ = false;
  return Progress::ended;
}

TcpStream::Progress TcpStream::write(StreamOperation& operation) {
  for (std::size_t moved = 0; can_write_;) {
    const Gathered gathered = gather(operation, attempt_bytes_max - moved);
    if (gathered.bytes == 0) return gathered.is_all ? Progress::ended : Progress::again;
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(gathered.pieces.data());
    message.msg_iovlen = gathered.count;
    const bool is_more = operation.more_ == More::yes || !gathered.is_all;
    const ssize_t count =
        ::sendmsg(socket_.descriptor(), &message, MSG_NOSIGNAL | (is_more ? MSG_MORE : 0));
    if (count < 0) {
      if (errno == EINTR) continue;
      return after_error(operation, can_write_, "write");
    }
    const auto written = static_cast<std::size_t>(count);
    advance(operation, written);
    moved += written;
    if (written == gathered.bytes && gathered.is_all) return Progress::ended;
  }
  return Progress::blocked;
}

TcpStream::Progress TcpStream::send_file(StreamOperation& operation) {
  const FileRange& range = operation.range_;
  const int file = range.files->descriptor(range.file);
  check(file >= 0, "a file that is sent has a descriptor");
  for (std::size_t moved = 0; can_write_;) {
    if (operation.done_ == range.length) return Progress::ended;
    if (moved == attempt_bytes_max) return Progress::again;
    const std::size_t wanted = static_cast<std::size_t>(
        std::min<std::uint64_t>(range.length - operation.done_, attempt_bytes_max - moved));
    auto position = static_cast<off_t>(range.position + operation.done_);
    const ssize_t count = ::sendfile(socket_.descriptor(), file, &position, wanted);
    if (count < 0) {
      if (errno == EINTR) continue;
      return after_error(operation, can_write_, "send_file");
    }
    if (count == 0) {
      operation.fail(StreamFault::file, 0, "send_file");
      return Progress::ended;
    }
    operation.done_ += static_cast<std::size_t>(count);
    moved += static_cast<std::size_t>(count);
  }
  return Progress::blocked;
}

}  // namespace millrace
