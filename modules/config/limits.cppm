// What a configuration may cost: whatever passes these is refused with a problem that names the
// limit.
module;
#include <cstddef>

export module millrace.config:limits;

import millrace.base;

export namespace millrace::config {

// A property file, and each file that a reference reads.
inline constexpr std::size_t file_bytes_max = mebibyte;

// One property with all its continuation lines: room for a chain of certificates.
inline constexpr std::size_t line_bytes_max = 64 * kibibyte;

inline constexpr std::size_t properties_max = 4096;
inline constexpr std::size_t list_elements_max = 1024;

// A report longer than this is not read by anybody; what comes after it is counted.
inline constexpr std::size_t problems_max = 100;

// Of a name or a value in a message.
inline constexpr std::size_t quoted_bytes_max = 80;

// References in one value, and different files that the references of one load may read. What a
// reference gives is never looked at for further references, so they cannot nest.
inline constexpr std::size_t references_per_value_max = 16;
inline constexpr std::size_t reference_files_max = 64;

// Of an environment variable that a reference names, and of the pattern that confines such names.
inline constexpr std::size_t variable_name_bytes_max = 256;

// Longer words are not compared with the known names: no name of Kafka or of ours is half as long.
inline constexpr std::size_t suggestion_bytes_max = 128;

static_assert(line_bytes_max < file_bytes_max);
static_assert(quoted_bytes_max <= suggestion_bytes_max);
static_assert(suggestion_bytes_max < line_bytes_max);
// The shortest property is a letter and a line break.
static_assert(properties_max * 2 < file_bytes_max);
static_assert(list_elements_max * 2 < line_bytes_max);

}  // namespace millrace::config
