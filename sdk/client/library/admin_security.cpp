// Access control, quotas and credentials of the public admin client. Most values are those of the
// modules, too.
#include "millrace/admin.hpp"

#include "admin_parts.hpp"

namespace millrace::inline v1 {

namespace {

using Client = client::AdminClient;
using client::inner;

using KafkaTime = client::KafkaTime;

// What is the same on both sides.
constexpr auto as_it_is = [](const auto& value) { return value; };

Timestamp time_of(KafkaTime time) {
  return Timestamp(std::chrono::milliseconds(time.value()));
}

}  // namespace

Future<Outcomes<AclBinding, void>> Admin::create_acls(std::vector<AclBinding> bindings,
                                                      AdminOptions options) {
  return implementation_->ask_each<Outcomes<AclBinding, void>>(
      bindings,
      [bindings, options](Client& client) { return client.create_acls(bindings, inner(options)); },
      as_it_is);
}

Future<Result<std::vector<AclBinding>>> Admin::describe_acls(AclFilter filter,
                                                             AdminOptions options) {
  return implementation_->ask<std::vector<AclBinding>>(
      [filter = std::move(filter), options](Client& client) {
        return client.describe_acls(filter, inner(options));
      },
      as_it_is);
}

Future<Outcomes<AclFilter, Outcomes<AclBinding, void>>> Admin::delete_acls(
    std::vector<AclFilter> filters, AdminOptions options) {
  using Deleted = Outcomes<AclBinding, void>;
  struct Converted {
    AclFilter operator()(const AclFilter& filter) const { return filter; }
    Deleted operator()(const client::Outcomes<AclBinding, void>& deleted) const {
      return client::outer_outcomes<Deleted>(deleted, as_it_is);
    }
  };
  return implementation_->ask_each<Outcomes<AclFilter, Deleted>>(
      filters,
      [filters, options](Client& client) { return client.delete_acls(filters, inner(options)); },
      Converted{});
}

Future<Result<std::vector<DescribedQuota>>> Admin::describe_quotas(QuotaFilter filter,
                                                                   AdminOptions options) {
  return implementation_->ask<std::vector<DescribedQuota>>(
      [filter = std::move(filter), options](Client& client) {
        return client.describe_quotas(filter, inner(options));
      },
      as_it_is);
}

Future<Outcomes<QuotaEntity, void>> Admin::alter_quotas(std::vector<QuotaChanges> changes,
                                                        AdminOptions options) {
  auto entities = client::keys_of(changes, [](const QuotaChanges& item) { return item.entity; });
  return implementation_->ask_each<Outcomes<QuotaEntity, void>>(
      std::move(entities),
      [changes = std::move(changes), options](Client& client) {
        return client.alter_quotas(changes, inner(options));
      },
      as_it_is);
}

Future<Result<Outcomes<std::string, std::vector<ScramCredential>>>> Admin::describe_scram(
    std::vector<std::string> users, AdminOptions options) {
  using Told = Outcomes<std::string, std::vector<ScramCredential>>;
  return implementation_->ask<Told>(
      [users = std::move(users), options](Client& client) {
        return client.describe_scram(users, inner(options));
      },
      [](const auto& told) { return client::outer_outcomes<Told>(told, as_it_is); });
}

Future<Outcomes<std::string, void>> Admin::alter_scram(std::vector<ScramChange> changes,
                                                       AdminOptions options) {
  auto users = client::keys_of(changes, [](const ScramChange& change) { return change.user; });
  return implementation_->ask_each<Outcomes<std::string, void>>(
      std::move(users),
      [changes = std::move(changes), options](Client& client) {
        return client.alter_scram(changes, inner(options));
      },
      as_it_is);
}

Future<Result<DelegationToken>> Admin::create_token(NewToken token, AdminOptions options) {
  return implementation_->ask<DelegationToken>(
      [token = std::move(token), options](Client& client) {
        return client.create_token(token, inner(options));
      },
      as_it_is);
}

Future<Result<Timestamp>> Admin::renew_token(std::vector<std::byte> hmac,
                                             std::optional<std::chrono::milliseconds> by,
                                             AdminOptions options) {
  return implementation_->ask<Timestamp>(
      [hmac = std::move(hmac), by, options](Client& client) {
        return client.renew_token(hmac, by, inner(options));
      },
      [](KafkaTime time) { return time_of(time); });
}

Future<Result<Timestamp>> Admin::expire_token(std::vector<std::byte> hmac,
                                              std::optional<std::chrono::milliseconds> after,
                                              AdminOptions options) {
  return implementation_->ask<Timestamp>(
      [hmac = std::move(hmac), after, options](Client& client) {
        return client.expire_token(hmac, after, inner(options));
      },
      [](KafkaTime time) { return time_of(time); });
}

Future<Result<std::vector<DelegationToken>>> Admin::describe_tokens(std::vector<Principal> owners,
                                                                    AdminOptions options) {
  return implementation_->ask<std::vector<DelegationToken>>(
      [owners = std::move(owners), options](Client& client) {
        return client.describe_tokens(owners, inner(options));
      },
      as_it_is);
}

}  // namespace millrace::inline v1
