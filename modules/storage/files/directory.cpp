module;
#include <charconv>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

module millrace.storage.files;

import :directory;
import :error;
import :small_file;
import :text;

namespace millrace::storage {

namespace {

constexpr std::string_view version_property = "version";
constexpr std::string_view cluster_id_property = "cluster.id";
constexpr std::string_view node_id_property = "node.id";
constexpr std::string_view directory_id_property = "directory.id";
constexpr int meta_properties_version = 1;

constexpr std::string_view clean_shutdown_front = "{\"version\":0,\"brokerEpoch\":";
constexpr std::string_view clean_shutdown_back = "}";

// As Java escapes a value.
std::string escaped(std::string_view value) {
  std::string text;
  for (const char character : value) {
    switch (character) {
      case '\t':
        text += "\\t";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      case '\f':
        text += "\\f";
        break;
      case ' ':
        text += text.empty() ? "\\ " : " ";
        break;
      case '\\':
      case '=':
      case ':':
      case '#':
      case '!':
        text += '\\';
        text += character;
        break;
      default:
        text += character;
    }
  }
  return text;
}

// "Tue Jul 01 09:05:00 UTC 2025"
std::string date_line(Timestamp now) {
  using namespace std::chrono;
  constexpr std::string_view days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_time<milliseconds> time{milliseconds(now.value())};
  const auto day = floor<std::chrono::days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  return formatted("{} {} {:02d} {:02d}:{:02d}:{:02d} UTC {}", days[weekday(day).c_encoding()],
                   months[static_cast<unsigned>(date.month()) - 1],
                   static_cast<unsigned>(date.day()), clock.hours().count(),
                   clock.minutes().count(), clock.seconds().count(), static_cast<int>(date.year()));
}

// What stands behind the separator, without its escapes; nothing where no Java writes it so.
std::optional<std::string> unescaped(std::string_view text) {
  std::string value;
  while (!text.empty()) {
    char character = text.front();
    text.remove_prefix(1);
    if (character == '\\') {
      if (text.empty()) return std::nullopt;
      constexpr std::string_view letters = "tnrf";
      constexpr std::string_view meanings = "\t\n\r\f";
      const std::size_t letter = letters.find(text.front());
      character = letter == std::string_view::npos ? text.front() : meanings[letter];
      if (character == 'u') return std::nullopt;
      text.remove_prefix(1);
    }
    value += character;
  }
  return value;
}

// The properties that version 1 knows; others are left to whoever wrote them.
struct Properties {
  std::optional<std::string> version;
  std::optional<std::string> cluster_id;
  std::optional<std::string> node_id;
  std::optional<std::string> directory_id;

  [[nodiscard]] std::optional<std::string>* find(std::string_view name) {
    if (name == version_property) return &version;
    if (name == cluster_id_property) return &cluster_id;
    if (name == node_id_property) return &node_id;
    if (name == directory_id_property) return &directory_id;
    return nullptr;
  }
};

StorageResult<Properties> read_properties(std::string_view text, std::string_view path) {
  Properties properties;
  Lines lines(text, path);
  while (!lines.at_end()) {
    const auto line = lines.next();
    if (!line) return lines.corrupt("the file is cut off");
    if (line->empty() || line->front() == '#') continue;
    const std::size_t separator = line->find('=');
    if (separator == std::string_view::npos) return lines.corrupt("not a name and a value");
    auto* const property = properties.find(line->substr(0, separator));
    if (property == nullptr) continue;
    if (property->has_value()) return lines.corrupt("the property is set for the second time");
    *property = unescaped(line->substr(separator + 1));
    if (!property->has_value()) return lines.corrupt("the value ends in an escape, or has a \\u");
  }
  return properties;
}

StorageResult<MetaProperties> check_properties(const Properties& given, std::string_view path) {
  const auto corrupt = [path](std::string_view problem) {
    return storage_failure(StorageFault::corrupt, formatted("{}: {}", path, problem));
  };
  MetaProperties properties;
  if (!given.cluster_id || given.cluster_id->empty()) return corrupt("there is no cluster.id");
  properties.cluster_id = *given.cluster_id;
  if (!given.node_id) return corrupt("there is no node.id");
  const auto node_id = read_integer<std::int32_t>(*given.node_id);
  if (!node_id || *node_id < 0) return corrupt("node.id is not a number from 0 on");
  properties.node_id = BrokerId(*node_id);
  if (given.directory_id) {
    const auto directory_id = uuid_from_string(*given.directory_id);
    if (!directory_id || directory_id->is_zero()) return corrupt("directory.id is not an id");
    properties.directory_id = *directory_id;
  }
  return properties;
}

}  // namespace

StorageResult<MetaProperties> parse_meta_properties(std::string_view text, std::string_view path) {
  const auto properties = read_properties(text, path);
  if (!properties) return failure(properties.error());
  const auto version = read_integer<int>(properties->version.value_or("0"));
  if (version == meta_properties_version) return check_properties(*properties, path);
  if (!version) {
    return storage_failure(StorageFault::corrupt, formatted("{}: version is not a number", path));
  }
  return storage_failure(
      StorageFault::invalid,
      formatted("{} has version {}, only {} is known; 0 is that of a broker with ZooKeeper, whose "
                "cluster must first be migrated to KRaft by Apache Kafka 3.9",
                path, *version, meta_properties_version));
}

std::string format_meta_properties(const MetaProperties& properties, Timestamp now) {
  std::string text = formatted("#\n#{}\n", date_line(now));
  const auto add = [&text](std::string_view name, std::string_view value) {
    text += formatted("{}={}\n", name, escaped(value));
  };
  // In the order in which Java's hash table gives them.
  add(node_id_property, formatted("{}", properties.node_id));
  if (properties.directory_id) add(directory_id_property, to_string(*properties.directory_id));
  add(version_property, formatted("{}", meta_properties_version));
  add(cluster_id_property, properties.cluster_id);
  return text;
}

Task<StorageResult<MetaProperties>> load_meta_properties(FileSystem& files, std::string directory) {
  const std::string path = path_in(directory, meta_properties_name);
  const auto bytes = co_await read_file(files, path, meta_properties_bytes_max);
  if (!bytes) co_return failure(bytes.error());
  co_return parse_meta_properties(as_text(*bytes), path);
}

Task<StorageResult<void>> save_meta_properties(FileSystem& files, std::string directory,
                                               MetaProperties properties, Timestamp now) {
  const std::string text = format_meta_properties(properties, now);
  co_return co_await replace_file(files, std::move(directory), std::string(meta_properties_name),
                                  as_bytes(text));
}

CleanShutdown parse_clean_shutdown(std::string_view text) {
  if (!text.starts_with(clean_shutdown_front) || !text.ends_with(clean_shutdown_back)) return {};
  text.remove_prefix(clean_shutdown_front.size());
  text.remove_suffix(clean_shutdown_back.size());
  const auto epoch = read_integer<std::int64_t>(text);
  if (!epoch || *epoch < 0) return {};
  return CleanShutdown{BrokerEpoch(*epoch)};
}

std::string format_clean_shutdown(BrokerEpoch broker_epoch) {
  return formatted("{}{}{}", clean_shutdown_front, broker_epoch, clean_shutdown_back);
}

Task<StorageResult<std::optional<CleanShutdown>>> load_clean_shutdown(FileSystem& files,
                                                                      std::string directory) {
  const std::string path = path_in(directory, clean_shutdown_name);
  const auto bytes = co_await read_file(files, path, clean_shutdown_bytes_max);
  if (bytes) co_return parse_clean_shutdown(as_text(*bytes));
  if (bytes.error().fault == StorageFault::not_found) co_return std::nullopt;
  // It is there, and that is what counts.
  if (bytes.error().fault == StorageFault::limit && !bytes.error().io) co_return CleanShutdown{};
  co_return failure(bytes.error());
}

Task<StorageResult<void>> save_clean_shutdown(FileSystem& files, std::string directory,
                                              BrokerEpoch broker_epoch) {
  const std::string text = format_clean_shutdown(broker_epoch);
  co_return co_await replace_file(files, std::move(directory), std::string(clean_shutdown_name),
                                  as_bytes(text));
}

Task<StorageResult<void>> remove_clean_shutdown(FileSystem& files, std::string directory) {
  auto removed = co_await remove_file_if_there(files, path_in(directory, clean_shutdown_name));
  if (!removed) co_return removed;
  const auto synced = co_await files.sync_directory(directory);
  if (!synced) co_return storage_failure(synced.error(), directory);
  co_return StorageResult<void>{};
}

Task<StorageResult<FileHandle>> lock_directory(FileSystem& files, std::string directory) {
  const std::string path = path_in(directory, directory_lock_name);
  const auto file = co_await files.open(path, OpenMode::create);
  if (!file) co_return storage_failure(file.error(), path);
  const auto locked = co_await files.lock(*file);
  if (locked) co_return *file;
  StorageError error = storage_error(locked.error(), path);
  if (error.fault == StorageFault::locked) {
    error.message = formatted("{} is locked: another process uses this log directory", path);
  }
  const auto closed = co_await files.close(*file);
  if (!closed) error = storage_error(closed.error(), path);
  co_return failure(std::move(error));
}

}  // namespace millrace::storage
