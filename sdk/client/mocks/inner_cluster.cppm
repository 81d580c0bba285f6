// millrace.client.mocks: the types of millrace.mock under names of their own. `millrace::mock`
// alone would be two things where the public cluster is known as well.
module;
#include <memory>
#include <string>

export module millrace.client.mocks;

export import millrace.base;
import millrace.mock;

export namespace millrace::client::mocks {

using InnerCluster = mock::Cluster;
using LiveCluster = mock::LiveCluster;
using InnerOptions = mock::Options;
using InnerTopicOptions = mock::TopicOptions;
using InnerFault = mock::Fault;
using InnerFaultKind = mock::FaultKind;
using InnerRecord = mock::StoredRecord;
using InnerRequest = mock::LoggedRequest;
using InnerApi = protocol::ApiKey;
using InnerErrorCode = protocol::ErrorCode;

}  // namespace millrace::client::mocks
