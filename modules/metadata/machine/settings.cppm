// Settings of topics and brokers: what may be set, and to what.
module;
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

export module millrace.metadata.machine:settings;

import millrace.base;
import millrace.config;
import millrace.metadata;
import :requests;

export namespace millrace::metadata {

// What counts for all brokers, as far as a controller knows: `server`, which is its own, and the
// settings of the cluster.
[[nodiscard]] config::ServerConfig settings_of_brokers(const config::ServerConfig& server,
                                                       const Image& image);

// Checks settings by the definitions of millrace.config. Owned by a Machine. A broker whose file
// says otherwise than the controller's looks once more, and leaves out what does not fit.
class SettingRules {
 public:
  explicit SettingRules(std::shared_ptr<const config::ServerConfig> server);

  // Whether there is such a resource in the image.
  [[nodiscard]] static Outcome check_resource(const Image& image, std::int8_t kind,
                                              std::string_view name);
  // Whether a resource may get these settings in place of others: whether all are good, each and
  // together with what else counts, and whether the new ones have an effect. What was stored and
  // is wrong hinders no change of anything else.
  [[nodiscard]] Outcome check_settings(const Image& image, ConfigKind kind,
                                       std::string_view resource, const ConfigMap& before,
                                       const ConfigMap& after) const;
  // Carries out changes on `settings`. What comes out is not checked yet.
  [[nodiscard]] Outcome change(const ResourceChange& resource, bool replaces,
                               ConfigMap& settings) const;

 private:
  [[nodiscard]] Outcome check_topic(const Image& image, const ConfigMap& before,
                                    const ConfigMap& after) const;
  // Of all brokers, or of one that is named.
  [[nodiscard]] Outcome check_brokers(const Image& image, std::string_view resource,
                                      const ConfigMap& before, const ConfigMap& after) const;
  [[nodiscard]] Outcome check_addresses(const ConfigMap& before, const ConfigMap& after) const;
  // `topics_too`, as they follow the brokers: those that fitted before.
  [[nodiscard]] Outcome check_broker(const Image& image, const std::vector<config::Layer>& before,
                                     const std::vector<config::Layer>& after,
                                     bool topics_too) const;
  [[nodiscard]] Outcome change_list(const config::Definition& definition, ConfigKind kind,
                                    const SettingChange& change, ConfigMap& settings) const;
  [[nodiscard]] std::string default_of(ConfigKind kind, const config::Definition& definition) const;

  std::shared_ptr<const config::ServerConfig> server_;
};

}  // namespace millrace::metadata
