#include "millrace/admin.hpp"

#include "admin_parts.hpp"

namespace millrace::inline v1 {

Admin::Admin(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}

Admin::Admin(const Config& config, const ClientOptions& options)
    : Admin(open(config, options).value()) {}

Result<Admin> Admin::open(const Config& config, const ClientOptions& options) {
  auto settings = client::admin_settings(client::properties_of(config));
  if (!settings) return client::settings_error("admin client", settings.error());
  auto implementation = std::make_unique<Implementation>(*std::move(settings), options);
  if (auto error = implementation->start()) return *std::move(error);
  return Admin(std::move(implementation));
}

Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&& other) noexcept {
  client::end_where_it_may_wait(
      std::exchange(implementation_, std::exchange(other.implementation_, nullptr)));
  return *this;
}
Admin::~Admin() {
  client::end_where_it_may_wait(std::move(implementation_));
}

Result<Metrics> Admin::metrics() const {
  return implementation_->metrics();
}

Future<Result<Uuid>> Admin::client_instance_id(AdminOptions options) {
  return implementation_->ask<Uuid>(
      [options](client::AdminClient& client) {
        return client.client_instance_id(client::inner(options));
      },
      [](const client::KafkaUuid& id) { return client::outer(id); });
}

}  // namespace millrace::inline v1
