// The rules that definitions of metrics must keep.
module;
#include <string>

module millrace.telemetry:names;

import millrace.base;
import :handles;
import :registry;

namespace millrace::telemetry {

// Fails with the first rule that is broken, in a sentence.
[[nodiscard]] Result<void> check_definition(const Definition& definition, Kind kind);

}  // namespace millrace::telemetry
