// The least that a client can do, and the least that a server can: what a cluster is measured
// against when Kafka's own client is what limits. Each mode prints lines "NAME VALUE".
//
//   bare fetch PORT TOPIC PARTITIONS MEGABYTES   fetches as fast as it can, reads batch headers
//   only bare send DIRECTORY MEGABYTES                floor of consuming: a file by sendfile to a
//   reader bare receive DIRECTORY MEGABYTES             floor of producing: from a socket into a
//   file
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.protocol.fetch;
import millrace.protocol.framing;

namespace {

using namespace millrace;
using namespace millrace::protocol;

constexpr std::int16_t fetch_version = 11;                // the last but one that names topics
constexpr std::int32_t response_bytes_max = 1024 * 1024;  // stays in the caches
constexpr std::size_t connections = 2;  // one is answered while the answer to the other is read
constexpr std::int32_t wait_ms = 500;
constexpr std::size_t file_piece = mebibyte;
constexpr std::size_t batch_bytes = 16 * kibibyte;
constexpr std::size_t receive_bytes = 256 * kibibyte;
constexpr std::size_t arena_bytes = mebibyte;
constexpr std::size_t last_offset_delta_at = 23;
constexpr std::size_t batch_header_bytes = 61;
constexpr std::size_t before_batch_length = 12;  // the base offset, and the length itself

[[noreturn]] void die(std::string_view what) {
  std::fprintf(stderr, "bare: %.*s: %s\n", static_cast<int>(what.size()), what.data(),
               std::strerror(errno));
  std::exit(1);
}

void must(bool holds, std::string_view what) {
  if (!holds) die(what);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  errno = EINVAL;
  must(error == std::errc() && end == text.data() + text.size(), text);
  return value;
}

double cpu_seconds(int who) {
  rusage usage{};
  must(::getrusage(who, &usage) == 0, "getrusage");
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int connected_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(socket != -1, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
       "connect");
  const int on = 1;
  must(::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
  return socket;
}

// A listening socket of 127.0.0.1, and its port.
std::pair<int, std::uint16_t> listening() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  must(socket != -1 && ::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
           ::listen(socket, 1) == 0 &&
           ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0,
       "listen");
  return {socket, ntohs(address.sin_port)};
}

void send_all(int socket, const std::byte* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(socket, bytes, size, MSG_NOSIGNAL);
    must(sent > 0, "send");
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
}

void receive_all(int socket, std::byte* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t received = ::recv(socket, bytes, size, 0);
    must(received > 0, "recv: the server has closed the connection, or");
    bytes += received;
    size -= static_cast<std::size_t>(received);
  }
}

void tell(std::string_view name, double value) {
  std::printf("%.*s %.4f\n", static_cast<int>(name.size()), name.data(), value);
}

// --- fetch ---

// The offset after the last whole batch.
std::int64_t end_of(Bytes records, std::int64_t offset) {
  while (records.size() >= batch_header_bytes) {
    const auto length = static_cast<std::size_t>(
        load_big_endian<std::int32_t>(records.data() + sizeof(std::int64_t)));
    if (length > records.size() - before_batch_length) break;
    offset = load_big_endian<std::int64_t>(records.data()) +
             load_big_endian<std::int32_t>(records.data() + last_offset_delta_at) + 1;
    records = records.subspan(before_batch_length + length);
  }
  return offset;
}

class Fetcher {
 public:
  Fetcher(BufferPool& pool, std::uint16_t port, std::string topic)
      : socket_(connected_to(port)), topic_(std::move(topic)), pool_(&pool) {}

  void want(std::size_t partition) {
    FetchRequest::FetchPartition& wanted = wanted_.emplace_back();
    wanted.partition = static_cast<std::int32_t>(partition);
    wanted.partition_max_bytes = response_bytes_max;
  }

  // The answer to the last request. Gives how many bytes of records came.
  std::size_t receive() {
    std::array<std::byte, frame_length_bytes> length{};
    receive_all(socket_, length.data(), length.size());
    const auto size = static_cast<std::size_t>(load_big_endian<std::int32_t>(length.data()));
    if (frame_.size() < size) frame_.resize(size);
    receive_all(socket_, frame_.data(), size);
    return take(Bytes(frame_).first(size));
  }

  void send_request() {
    FetchRequest::FetchTopic topic;
    topic.topic = topic_;
    topic.partitions = Array<FetchRequest::FetchPartition>(wanted_);
    FetchRequest request;
    request.max_wait_ms = wait_ms;
    request.min_bytes = 1;
    request.max_bytes = response_bytes_max;
    request.topics = {&topic, 1};
    const auto frame = encode_request(*pool_, CorrelationId(1), "bare", request, fetch_version);
    must(frame.has_value(), "the request cannot be written");
    frame->for_each_piece(
        [&](const RecordChunk& piece) { send_all(socket_, piece.memory, piece.size); });
  }

 private:
  std::size_t take(Bytes frame) {
    Arena arena(arena_bytes);
    FetchResponse response;
    const auto header = read_response_header(frame, api_info(ApiKey::fetch), fetch_version);
    must(header.has_value() && decode(response, header->body, fetch_version, arena).has_value(),
         "the response cannot be read");
    std::size_t bytes = 0;
    for (const auto& topic : response.responses) {
      for (const auto& partition : topic.partitions) {
        must(partition.error_code == 0, "the broker answers with an error code");
        const auto wanted = std::find_if(wanted_.begin(), wanted_.end(), [&](const auto& one) {
          return one.partition == partition.partition_index;
        });
        must(wanted != wanted_.end(), "the broker answers for a partition that was not wanted");
        const Bytes records = partition.records.bytes();
        wanted->fetch_offset = end_of(records, wanted->fetch_offset);
        bytes += records.size();
      }
    }
    return bytes;
  }

  int socket_;
  std::string topic_;
  std::vector<FetchRequest::FetchPartition> wanted_;
  std::vector<std::byte> frame_;
  BufferPool* pool_;
};

void fetch(std::uint16_t port, const std::string& topic, std::size_t partitions,
           std::uint64_t bytes) {
  BufferPool pool;
  std::vector<Fetcher> fetchers;
  for (std::size_t i = 0; i < std::min(connections, partitions); ++i) {
    fetchers.emplace_back(pool, port, topic);
  }
  for (std::size_t i = 0; i < partitions; ++i) fetchers[i % fetchers.size()].want(i);
  const double begin = now();
  for (Fetcher& fetcher : fetchers) fetcher.send_request();
  std::uint64_t fetched = 0;
  while (fetched < bytes) {
    std::size_t more = 0;
    for (Fetcher& fetcher : fetchers) {
      more += fetcher.receive();
      fetcher.send_request();
    }
    errno = ENODATA;
    must(more > 0, "the topic has less");
    fetched += more;
  }
  tell("MB/s", static_cast<double>(fetched) / 1e6 / (now() - begin));
  tell("bytes", static_cast<double>(fetched));
}

// --- the floors ---

// Runs one side in a process of its own.
template <class Side>
pid_t beside(Side side) {
  const pid_t child = ::fork();
  must(child != -1, "fork");
  if (child != 0) return child;
  side();
  std::_Exit(0);
}

void wait_for(pid_t child) {
  int status = 0;
  must(::waitpid(child, &status, 0) == child && status == 0, "the other side failed");
}

void write_all(int file, const std::byte* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(file, bytes, size);
    must(written > 0, "write");
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
}

// A file that nobody sees.
int file_in(const std::string& directory) {
  std::string path = directory + "/bare.XXXXXX";
  const int file = ::mkostemp(path.data(), O_CLOEXEC);
  must(file != -1 && ::unlink(path.c_str()) == 0, path);
  return file;
}

void discard(std::uint16_t port, std::uint64_t bytes) {
  const int socket = connected_to(port);
  std::vector<std::byte> buffer(receive_bytes);
  while (bytes > 0) {
    const ssize_t received = ::recv(socket, buffer.data(), buffer.size(), 0);
    must(received > 0, "recv");
    bytes -= static_cast<std::uint64_t>(received);
  }
}

void tell_of(std::uint64_t bytes, double seconds, double cpu) {
  tell("MB/s", static_cast<double>(bytes) / 1e6 / seconds);
  tell("s/GB", cpu / (static_cast<double>(bytes) / 1e9));
}

void send_floor(const std::string& directory, std::uint64_t bytes) {
  const int file = file_in(directory);
  const std::vector<std::byte> piece(file_piece, std::byte{1});
  for (std::uint64_t i = 0; i < bytes; i += file_piece) write_all(file, piece.data(), file_piece);
  const auto [listener, port] = listening();
  const pid_t reader = beside([&] { discard(port, bytes); });
  const int socket = ::accept(listener, nullptr, nullptr);
  must(socket != -1, "accept");
  const double begin = now();
  const double cpu = cpu_seconds(RUSAGE_SELF);
  for (off_t position = 0; static_cast<std::uint64_t>(position) < bytes;) {
    const auto left = bytes - static_cast<std::uint64_t>(position);
    must(::sendfile(socket, file, &position, std::min<std::uint64_t>(left, file_piece)) > 0,
         "sendfile");
  }
  wait_for(reader);
  tell_of(bytes, now() - begin, cpu_seconds(RUSAGE_SELF) - cpu);
}

void receive_floor(const std::string& directory, std::uint64_t bytes) {
  const int file = file_in(directory);
  const auto [listener, port] = listening();
  const pid_t writer = beside([&, to = port] {
    const std::vector<std::byte> piece(file_piece, std::byte{1});
    const int socket = connected_to(to);
    for (std::uint64_t i = 0; i < bytes; i += file_piece) {
      send_all(socket, piece.data(), file_piece);
    }
  });
  const int socket = ::accept(listener, nullptr, nullptr);
  must(socket != -1, "accept");
  std::vector<std::byte> batch(batch_bytes);
  const double begin = now();
  const double cpu = cpu_seconds(RUSAGE_SELF);
  for (std::uint64_t i = 0; i < bytes; i += batch_bytes) {
    receive_all(socket, batch.data(), batch.size());
    write_all(file, batch.data(), batch.size());
  }
  tell_of(bytes, now() - begin, cpu_seconds(RUSAGE_SELF) - cpu);
  wait_for(writer);
}

[[noreturn]] void usage() {
  std::fputs(
      "bare fetch PORT TOPIC PARTITIONS MEGABYTES\n"
      "bare send DIRECTORY MEGABYTES\n"
      "bare receive DIRECTORY MEGABYTES\n",
      stderr);
  std::exit(2);
}

}  // namespace

int main(int count, char** values) {
  constexpr std::uint64_t mega = 1'000'000;
  const std::vector<std::string> arguments(values + 1, values + count);
  if (arguments.empty()) usage();
  const std::string& mode = arguments[0];
  if (mode == "fetch" && arguments.size() == 5) {
    fetch(static_cast<std::uint16_t>(number(arguments[1])), arguments[2], number(arguments[3]),
          number(arguments[4]) * mega);
    return 0;
  }
  if (arguments.size() != 3) usage();
  // Whole pieces, and so whole batches.
  const std::uint64_t bytes = number(arguments[2]) * mega / file_piece * file_piece;
  if (mode == "send") {
    send_floor(arguments[1], bytes);
  } else if (mode == "receive") {
    receive_floor(arguments[1], bytes);
  } else {
    usage();
  }
  return 0;
}
