// The settings of a broker as they count now: its file and command line, and over them what the
// cluster's metadata says for all brokers and for this one.
module;
#include <memory>
#include <string_view>

export module millrace.broker.requests.configs:config_view;

import millrace.base;
import millrace.config;
import millrace.metadata;

export namespace millrace::broker {

using config::ServerConfig;
using config::TopicConfig;

// One a shard, used on its thread only. A setting of the cluster that cannot count, because a
// controller of another version let it in or has another file, is logged and left out. The clock
// outlives it.
class ConfigView {
 public:
  ConfigView(std::shared_ptr<const ServerConfig> start, BrokerId self, const Clock& clock,
             const Logger& log);
  ConfigView(const ConfigView&) = delete;
  ConfigView& operator=(const ConfigView&) = delete;

  // Called with each new image. Costs two look-ups where no setting of a broker changed.
  void update(std::shared_ptr<const metadata::Image> image);

  // Another one when a setting of this broker changed. All that was ever handed out stays readable
  // from any thread.
  [[nodiscard]] const std::shared_ptr<const ServerConfig>& server() const { return server_; }
  // A topic's settings by `image`. Never fails: settings that cannot count are left out, and logged
  // now and then.
  [[nodiscard]] TopicConfig topic(const metadata::Image& image, std::string_view name) const;

 private:
  std::shared_ptr<const ServerConfig> start_;
  std::shared_ptr<const ServerConfig> server_;
  // Kept so that its settings can be compared with those of the next one by their place.
  std::shared_ptr<const metadata::Image> image_;
  BrokerId self_;
  Logger log_;
  LimitedLogger described_;
};

}  // namespace millrace::broker
