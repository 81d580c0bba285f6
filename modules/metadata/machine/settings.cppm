// Settings of topics and brokers: what may be set, and to what.
module;
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

export module millrace.metadata.machine:settings;

import millrace.base;
import millrace.config;
import millrace.metadata;
import :requests;

export namespace millrace::metadata {

// Checks settings by the definitions of millrace.config. Owned by a Machine.
class SettingRules {
 public:
  explicit SettingRules(std::shared_ptr<const config::ServerConfig> server);

  // Whether there is such a resource in the image.
  [[nodiscard]] static Outcome check_resource(const Image& image, std::int8_t kind,
                                              std::string_view name);
  // Whether all settings of one resource are good, each and together.
  [[nodiscard]] Outcome check_settings(ConfigKind kind, std::string_view resource,
                                       const ConfigMap& settings) const;
  // Carries out changes on `settings`. What comes out is not checked yet.
  [[nodiscard]] Outcome change(const ResourceChange& resource, bool replaces,
                               ConfigMap& settings) const;

 private:
  [[nodiscard]] Outcome change_list(const config::Definition& definition, ConfigKind kind,
                                    const SettingChange& change, ConfigMap& settings) const;
  [[nodiscard]] std::string default_of(ConfigKind kind, const config::Definition& definition) const;

  std::shared_ptr<const config::ServerConfig> server_;
};

}  // namespace millrace::metadata
