// The values of access control, quotas and credentials. They hold nothing but text and numbers, so
// those of the public header serve here too.
module;
#include "millrace/admin_security.hpp"

export module millrace.client.admin:security_types;

export namespace millrace::client {

using v1::AclBinding;
using v1::AclFilter;
using v1::AclOperation;
using v1::AclPattern;
using v1::AclPermission;
using v1::AclResource;
using v1::DelegationToken;
using v1::DescribedQuota;
using v1::NewToken;
using v1::Principal;
using v1::QuotaChange;
using v1::QuotaChanges;
using v1::QuotaEntity;
using v1::QuotaFilter;
using v1::QuotaFilterPart;
using v1::QuotaPart;
using v1::scram_iterations_max;
using v1::scram_iterations_min;
using v1::ScramChange;
using v1::ScramCredential;
using v1::ScramMechanism;

}  // namespace millrace::client
