// The reference of all properties, printed from their definitions.
module;
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.config:document;

import :definition;

export namespace millrace::config {

struct DocumentedArea {
  std::string_view title;
  std::string_view introduction;
  std::span<const Definition> definitions;
};

// The areas of servers, one for each table in registry/, and topics.
[[nodiscard]] std::vector<DocumentedArea> documented_areas();

// A page with a table for each area, sorted by name: docs/reference/configuration.md.
[[nodiscard]] std::string markdown_reference(std::span<const DocumentedArea> areas);

// The same for terminals.
[[nodiscard]] std::string text_reference(std::span<const DocumentedArea> areas);

// One property for terminals, indented, with its name on a line of its own.
[[nodiscard]] std::string text_of(const Definition& definition);

}  // namespace millrace::config
