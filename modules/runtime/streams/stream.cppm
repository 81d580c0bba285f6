// Byte streams, as everything above the runtime sees them: one interface to TCP, to simulated
// connections, and later to TLS and shared-memory rings.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

export module millrace.runtime.streams:stream;

import millrace.base;
import millrace.runtime;
import :address;

export namespace millrace {

enum class StreamFault : std::uint8_t {
  closed,     // by close() on this side
  cancelled,  // by cancel()
  timed_out,
  reset,    // the peer went, or broke the connection
  refused,  // nobody listens there
  unreachable,
  address_in_use,
  denied,         // permissions
  too_many_open,  // descriptors or memory of the process or the system
  file,           // the file that was to be sent could not be read, or has no such bytes
  failed,         // anything else
};

// Why an operation failed. Holds no memory; who reports it adds the peer that it knows.
struct StreamError {
  StreamFault fault = StreamFault::failed;
  int number = 0;              // errno, where there was one
  const char* operation = "";  // "read", "connect", ...
};

template <class T>
using StreamResult = Result<T, StreamError>;

[[nodiscard]] std::string_view name_of(StreamFault fault);
// What an errno of a socket means here.
[[nodiscard]] StreamFault stream_fault_of(int error_number);
// "read 192.0.2.1:50412: reset (errno 104)".
[[nodiscard]] std::string describe(const StreamError& error, const SocketAddress& peer);

inline constexpr MonotonicTime no_deadline = MonotonicTime::max();

// How many operations of one direction end without suspending their coroutine before it is made to
// wait for its turn: a peer that never lets a read block must not keep the shard.
inline constexpr unsigned operations_at_once_max = 16;
// What one attempt moves at most, for the same reason.
inline constexpr std::size_t attempt_bytes_max = mebibyte;

// Whether more is written right after: small pieces then need not travel alone.
enum class More : std::uint8_t { no, yes };

// A part of a file that is there.
struct FileRange {
  FileSystem* files = nullptr;
  FileHandle file = no_file;
  std::uint64_t position = 0;
  std::uint64_t length = 0;
};

enum class StreamKind : std::uint8_t { read, write, send_file };

class ByteStream;

// One operation from start to result, in the frame of the coroutine that awaits it. Made by the
// functions of ByteStream and awaited at once.
class StreamOperation : public Callback {
 public:
  StreamOperation(ByteStream& stream, StreamKind kind, MonotonicTime deadline);

  [[nodiscard]] bool await_ready();
  void await_suspend(std::coroutine_handle<> awaiting) { awaiting_ = awaiting; }

  // For implementations, which set them in attempt().
  void fail(StreamFault fault, int number, const char* operation) {
    failed_ = true;
    error_ = {.fault = fault, .number = number, .operation = operation};
  }

  StreamKind kind_;
  MutableBytes buffer_;
  std::span<const ByteView> pieces_;
  More more_ = More::no;
  FileRange range_;
  // Bytes that are read, or written already; of pieces, the one that is next and what of it is
  // done.
  std::uint64_t done_ = 0;
  std::size_t piece_ = 0;
  std::size_t piece_done_ = 0;

 protected:
  [[nodiscard]] StreamResult<std::size_t> count() const {
    if (failed_) return failure(error_);
    return static_cast<std::size_t>(done_);
  }
  [[nodiscard]] StreamResult<void> outcome() const {
    if (failed_) return failure(error_);
    return {};
  }

 private:
  friend class ByteStream;
  struct Deadline : Timer {
    explicit Deadline(StreamOperation& o);
    StreamOperation& operation;
  };

  ByteStream& stream_;
  MonotonicTime until_;
  Deadline deadline_{*this};
  StreamError error_;
  bool failed_ = false;
  bool ended_ = false;
  bool posted_ = false;
  bool attempting_ = false;
  std::coroutine_handle<> awaiting_;
};

// A connection to a peer: bytes in both directions, in order. Belongs to one shard. At most one
// read and one write or send_file are pending at a time; buffers, pieces and their bytes stay in
// place until theirs ends. An operation that failed has done an unknown part of its work: after
// StreamFault::timed_out or cancelled a write is not to be repeated, a read may be. Whoever owns
// the stream ends it after its operations have: cancel() or close(), then await them.
class ByteStream {
 public:
  virtual ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // At least one byte, as soon as there is one; 0 when the peer writes no more. The buffer is not
  // empty.
  [[nodiscard]] auto read(MutableBytes buffer, MonotonicTime deadline = no_deadline) {
    return Read(*this, buffer, deadline);
  }
  // All of the pieces, in order, or an error.
  [[nodiscard]] auto write(std::span<const ByteView> pieces, More more = More::no,
                           MonotonicTime deadline = no_deadline) {
    return Write(*this, pieces, more, deadline);
  }
  // All of the range, without copying it through this process. For streams that take files, and
  // files that have a descriptor; send_range() is for all.
  [[nodiscard]] auto send_file(const FileRange& range, MonotonicTime deadline = no_deadline) {
    return SendFile(*this, range, deadline);
  }
  [[nodiscard]] virtual bool takes_files() const = 0;

  // The peer reads the end once it has read what was written. Nothing is written after it.
  virtual void shutdown_writes() = 0;
  // Pending operations end with StreamFault::cancelled. The stream stays usable.
  void cancel();
  // Ends the connection at once; pending operations and later ones end with StreamFault::closed.
  void close();
  [[nodiscard]] bool is_closed() const { return closed_; }

  [[nodiscard]] const SocketAddress& peer() const { return peer_; }
  [[nodiscard]] const SocketAddress& local() const { return local_; }

 protected:
  enum class Progress : std::uint8_t {
    ended,    // with a result or an error
    blocked,  // until retry_read() or retry_write()
    again,    // could go on, but others come first
  };

  ByteStream(Executor& executor, const SocketAddress& local, const SocketAddress& peer)
      : executor_(executor), local_(local), peer_(peer) {}

  [[nodiscard]] Executor& executor() { return executor_; }

  // Does what can be done now. Of a read that ended, done_ says how many bytes.
  [[nodiscard]] virtual Progress attempt(StreamOperation& operation) = 0;
  virtual void close_connection() = 0;
  // Something may have changed for what is pending. Resumes nobody before it returns, and does
  // nothing for an operation whose attempt() it is called from.
  void retry_read() { retry(reading_); }
  void retry_write() { retry(writing_); }
  // By the destructor of the implementation.
  void close_at_end();

 private:
  friend class StreamOperation;

  struct Read : StreamOperation {
    Read(ByteStream& s, MutableBytes buffer, MonotonicTime deadline)
        : StreamOperation(s, StreamKind::read, deadline) {
      buffer_ = buffer;
    }
    StreamResult<std::size_t> await_resume() const { return count(); }
  };
  struct Write : StreamOperation {
    Write(ByteStream& s, std::span<const ByteView> pieces, More more, MonotonicTime deadline)
        : StreamOperation(s, StreamKind::write, deadline) {
      pieces_ = pieces;
      more_ = more;
    }
    StreamResult<void> await_resume() const { return outcome(); }
  };
  struct SendFile : StreamOperation {
    SendFile(ByteStream& s, const FileRange& range, MonotonicTime deadline)
        : StreamOperation(s, StreamKind::send_file, deadline) {
      range_ = range;
    }
    StreamResult<void> await_resume() const { return outcome(); }
  };

  [[nodiscard]] StreamOperation*& pending(const StreamOperation& operation) {
    return operation.kind_ == StreamKind::read ? reading_ : writing_;
  }
  // True if it has ended already.
  bool start(StreamOperation& operation);
  [[nodiscard]] Progress attempt_once(StreamOperation& operation);
  void retry(StreamOperation* operation);
  void end_later(StreamOperation& operation);
  void end_pending(StreamFault fault);
  void post(StreamOperation& operation);

  Executor& executor_;
  SocketAddress local_;
  SocketAddress peer_;
  StreamOperation* reading_ = nullptr;
  StreamOperation* writing_ = nullptr;
  unsigned reads_at_once_ = 0;
  unsigned writes_at_once_ = 0;
  bool closed_ = false;
};

// Sends a part of a file on any stream: with send_file() where that can be, else through memory.
[[nodiscard]] Task<StreamResult<void>> send_range(ByteStream& stream, FileRange range,
                                                  MonotonicTime deadline = no_deadline);

}  // namespace millrace
