// Where a cluster on this machine keeps everything.
module;
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.cli:data_directory;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime.streams;
import :cluster_plan;

export namespace millrace::cli {

// How long it is waited for processes of a cluster before, which are about to end.
inline constexpr Duration lock_patience = std::chrono::seconds{2};

// Holds the directory: nobody else starts a cluster in it meanwhile. Blocks; for the start of the
// program. Failures are sentences for people.
class DataDirectory {
 public:
  // Made if needed. Fails if another process holds it, or it cannot be written.
  [[nodiscard]] static Result<DataDirectory> open(const std::string& path,
                                                  Duration patience = lock_patience);

  // Absolute.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string log_path(std::string_view child) const {
    return formatted("{}/logs/{}.log", path_, child);
  }

  // Whoever inherits it holds the directory too, until its end.
  [[nodiscard]] int lock() const { return lock_.number(); }

  // The ports that are kept here, each free now, and new ones for the names that have none. None of
  // them is in `taken`, where nobody listens yet.
  [[nodiscard]] Result<PortMap> ports(const std::vector<std::string>& names,
                                      const std::set<Port>& taken) const;
  // Each child's directory and configuration.
  [[nodiscard]] Result<void> write(const ClusterPlan& plan) const;

 private:
  DataDirectory(std::string path, ipc::Descriptor lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  ipc::Descriptor lock_;
};

// Whether nobody listens there, so that we could.
[[nodiscard]] bool is_free(const SocketAddress& address);

}  // namespace millrace::cli
