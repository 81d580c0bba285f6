// The files that say whose a log directory is and how it was left: meta.properties,
// .kafka_cleanshutdown, .lock. Layouts: docs/formats/log-directory.md.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

export module millrace.storage.files:directory;

import millrace.base;
import millrace.runtime;
import :error;

export namespace millrace::storage {

inline constexpr std::string_view meta_properties_name = "meta.properties";
inline constexpr std::string_view clean_shutdown_name = ".kafka_cleanshutdown";
inline constexpr std::string_view directory_lock_name = ".lock";
inline constexpr std::size_t meta_properties_bytes_max = 64 * kibibyte;
inline constexpr std::size_t clean_shutdown_bytes_max = 4 * kibibyte;

// Whose a log directory is.
struct MetaProperties {
  std::string cluster_id;
  BrokerId node_id = no_broker;
  // Not there in directories of Kafka before 3.7.
  std::optional<Uuid> directory_id = std::nullopt;

  friend bool operator==(const MetaProperties&, const MetaProperties&) = default;
};

// Reads version 1. Other versions: StorageFault::invalid, with a sentence that says what to do.
[[nodiscard]] StorageResult<MetaProperties> parse_meta_properties(std::string_view text,
                                                                  std::string_view path);
// With the lines of a date comment as Java writes them: "#", "#<date>".
[[nodiscard]] std::string format_meta_properties(const MetaProperties& properties, Timestamp now);

[[nodiscard]] Task<StorageResult<MetaProperties>> load_meta_properties(FileSystem& files,
                                                                       std::string directory);
[[nodiscard]] Task<StorageResult<void>> save_meta_properties(FileSystem& files,
                                                             std::string directory,
                                                             MetaProperties properties,
                                                             Timestamp now);

// Left at the end of an orderly stop, removed at the start: who finds it may trust every file.
struct CleanShutdown {
  // The epoch that the broker had when it stopped; nothing where the file is that of an older
  // Kafka or damaged: the stop was clean all the same.
  std::optional<BrokerEpoch> broker_epoch;

  friend bool operator==(const CleanShutdown&, const CleanShutdown&) = default;
};

[[nodiscard]] CleanShutdown parse_clean_shutdown(std::string_view text);
[[nodiscard]] std::string format_clean_shutdown(BrokerEpoch broker_epoch);

// Nothing if there is no such file.
[[nodiscard]] Task<StorageResult<std::optional<CleanShutdown>>> load_clean_shutdown(
    FileSystem& files, std::string directory);
[[nodiscard]] Task<StorageResult<void>> save_clean_shutdown(FileSystem& files,
                                                            std::string directory,
                                                            BrokerEpoch broker_epoch);
// Durably: a crash later must not find it.
[[nodiscard]] Task<StorageResult<void>> remove_clean_shutdown(FileSystem& files,
                                                              std::string directory);

// Makes this process the only one that uses the directory until the file is closed.
// StorageFault::locked if another one has it.
[[nodiscard]] Task<StorageResult<FileHandle>> lock_directory(FileSystem& files,
                                                             std::string directory);

}  // namespace millrace::storage
