module;
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

module millrace.cli;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime.streams;

namespace millrace::cli {
namespace {

namespace files = std::filesystem;

auto problem(std::string_view what, const std::string& path, const std::error_code& code) {
  return failure(ErrorKind::io, formatted("{} {}: {}", what, path, code.message()));
}

Result<void> make_directories(const std::string& path) {
  std::error_code code;
  files::create_directories(path, code);
  if (code) return problem("cannot make the directory", path, code);
  return {};
}

// Beside the old file first, so that a crash leaves one of both whole.
Result<void> write_file(const std::string& path, const std::string& text) {
  const std::string next = path + ".new";
  std::ofstream file(next, std::ios::trunc);
  file << text;
  file.close();
  if (!file) return problem("cannot write", next, {errno, std::generic_category()});
  std::error_code code;
  files::rename(next, path, code);
  if (code) return problem("cannot write", path, code);
  return {};
}

sockaddr_in loopback(Port port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port.value());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A port that nobody uses, held until the descriptor is closed, so that the next one is another.
Result<std::pair<Port, ipc::Descriptor>> reserve_port() {
  ipc::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(Port{0});
  socklen_t length = sizeof address;
  if (!socket.is_open() ||
      ::bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      ::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return failure(ErrorKind::io, formatted("no free port is to be had: errno {}", errno));
  }
  return std::pair(Port(ntohs(address.sin_port)), std::move(socket));
}

// Where the one before was killed, its children hold the lock for another moment.
Result<void> take_lock(const ipc::Descriptor& lock, const std::string& path, Duration patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(lock.number(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return problem("cannot lock", path, {errno, std::generic_category()});
    if (std::chrono::steady_clock::now() >= deadline) {
      return failure(
          ErrorKind::already_exists,
          formatted("{} is held: the directory is in use by another `millrace local`", path));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return {};
}

}  // namespace

bool is_free(const SocketAddress& address) {
  const ipc::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  sockaddr_in system = loopback(address.port);
  std::memcpy(&system.sin_addr, address.host_bytes.data(), sizeof system.sin_addr);
  // As a listener would: connections that linger there do not matter.
  return socket.is_open() &&
         ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
         ::bind(socket.number(), reinterpret_cast<const sockaddr*>(&system), sizeof system) == 0 &&
         ::listen(socket.number(), 1) == 0;
}

Result<DataDirectory> DataDirectory::open(const std::string& path, Duration patience) {
  std::error_code code;
  const std::string absolute = files::absolute(path, code).lexically_normal().string();
  if (code) return problem("cannot use the directory", path, code);
  if (auto good = check_data_path(absolute); !good) return failure(good.error());
  if (auto made = make_directories(absolute + "/logs"); !made) return failure(made.error());
  const std::string lock_path = absolute + "/.lock";
  ipc::Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.is_open()) return problem("cannot open", lock_path, {errno, std::generic_category()});
  if (auto held = take_lock(lock, lock_path, patience); !held) return failure(held.error());
  return DataDirectory(absolute, std::move(lock));
}

Result<PortMap> DataDirectory::ports(const std::vector<std::string>& names,
                                     const std::set<Port>& taken) const {
  const std::string path = path_ + "/ports.properties";
  PortMap kept;
  if (std::error_code code; files::exists(path, code)) {
    if (!files::is_regular_file(path, code))
      return failure(ErrorKind::corrupt, formatted("{} is no file", path));
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto read = ports_from(text);
    if (!read) return failure(ErrorKind::corrupt, formatted("{}: {}", path, read.error().message));
    kept = std::move(*read);
  }
  std::vector<ipc::Descriptor> reserved;
  for (const std::string& name : names) {
    const auto found = kept.find(name);
    if (found != kept.end() && !taken.contains(found->second) &&
        is_free(address_from_string("127.0.0.1", found->second).value())) {
      continue;
    }
    auto port = reserve_port();
    while (port && taken.contains(port->first)) {
      reserved.push_back(std::move(port->second));
      port = reserve_port();
    }
    if (!port) return failure(port.error());
    kept.insert_or_assign(name, port->first);
    reserved.push_back(std::move(port->second));
  }
  if (auto written = write_file(path, to_text(kept)); !written) return failure(written.error());
  return kept;
}

Result<void> DataDirectory::write(const ClusterPlan& plan) const {
  for (const ChildPlan& child : plan.children) {
    if (auto made = make_directories(child.directory); !made) return made;
    if (auto written = write_file(child.config_path, child.config_text); !written) return written;
  }
  return {};
}

}  // namespace millrace::cli
