// What a log needs of the log directory that it lies in.
module;
#include <coroutine>
#include <cstddef>

export module millrace.storage.log:keeper;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.producers;

export namespace millrace::storage {

class Log;

// Keeps the checkpoint files of a log directory, in which all its logs have a line. Outlives the
// logs; its functions are called on the shard of the log that asks.
class DirectoryKeeper {
 public:
  virtual ~DirectoryKeeper() = default;

  // Makes the log's recovery_point() durable as it is now. A log asks before it goes back behind
  // the one that was saved.
  [[nodiscard]] virtual Task<StorageResult<void>> save_recovery_point(const Log& log) = 0;
  // Makes the log's start() durable as it is now. A log asks before it removes what lies below.
  [[nodiscard]] virtual Task<StorageResult<void>> save_log_start(const Log& log) = 0;
  // Whether there is space for an append. A refusal is StorageFault::no_space with a sentence.
  // Called for every batch that is about to be written.
  [[nodiscard]] virtual StorageResult<void> admit(const Log&, AppendOrigin, std::size_t) {
    return {};
  }
  // The device cannot be trusted any more: the directory goes offline. The log has refused all work
  // since before the call.
  virtual void went_offline(const Log& log, const StorageError& error) = 0;

 protected:
  DirectoryKeeper() = default;
  DirectoryKeeper(const DirectoryKeeper&) = delete;
  DirectoryKeeper& operator=(const DirectoryKeeper&) = delete;
};

}  // namespace millrace::storage
