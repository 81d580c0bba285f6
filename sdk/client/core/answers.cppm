// Which answer belongs to which request.
module;

export module millrace.client.core:answers;

import millrace.protocol.admin;
import millrace.protocol.consumer;
import millrace.protocol.fetch;
import millrace.protocol.groups;
import millrace.protocol.metadata;
import millrace.protocol.produce;
import millrace.protocol.quotas;
import millrace.protocol.security;
import millrace.protocol.share;
import millrace.protocol.streams;
import millrace.protocol.telemetry;
import millrace.protocol.transactions;

export namespace millrace::client {

// AnswerOf<FetchRequest> is FetchResponse. Defined for every request that clients send.
template <class Request>
struct AnswerTo;
template <class Request>
using AnswerOf = typename AnswerTo<Request>::type;

template <>
struct AnswerTo<protocol::AddRaftVoterRequest> {
  using type = protocol::AddRaftVoterResponse;
};
template <>
struct AnswerTo<protocol::AlterConfigsRequest> {
  using type = protocol::AlterConfigsResponse;
};
template <>
struct AnswerTo<protocol::AlterPartitionReassignmentsRequest> {
  using type = protocol::AlterPartitionReassignmentsResponse;
};
template <>
struct AnswerTo<protocol::AlterReplicaLogDirsRequest> {
  using type = protocol::AlterReplicaLogDirsResponse;
};
template <>
struct AnswerTo<protocol::CreatePartitionsRequest> {
  using type = protocol::CreatePartitionsResponse;
};
template <>
struct AnswerTo<protocol::CreateTopicsRequest> {
  using type = protocol::CreateTopicsResponse;
};
template <>
struct AnswerTo<protocol::DeleteRecordsRequest> {
  using type = protocol::DeleteRecordsResponse;
};
template <>
struct AnswerTo<protocol::DeleteTopicsRequest> {
  using type = protocol::DeleteTopicsResponse;
};
template <>
struct AnswerTo<protocol::DescribeConfigsRequest> {
  using type = protocol::DescribeConfigsResponse;
};
template <>
struct AnswerTo<protocol::DescribeLogDirsRequest> {
  using type = protocol::DescribeLogDirsResponse;
};
template <>
struct AnswerTo<protocol::DescribeQuorumRequest> {
  using type = protocol::DescribeQuorumResponse;
};
template <>
struct AnswerTo<protocol::ElectLeadersRequest> {
  using type = protocol::ElectLeadersResponse;
};
template <>
struct AnswerTo<protocol::IncrementalAlterConfigsRequest> {
  using type = protocol::IncrementalAlterConfigsResponse;
};
template <>
struct AnswerTo<protocol::ListConfigResourcesRequest> {
  using type = protocol::ListConfigResourcesResponse;
};
template <>
struct AnswerTo<protocol::ListPartitionReassignmentsRequest> {
  using type = protocol::ListPartitionReassignmentsResponse;
};
template <>
struct AnswerTo<protocol::RemoveRaftVoterRequest> {
  using type = protocol::RemoveRaftVoterResponse;
};
template <>
struct AnswerTo<protocol::UnregisterBrokerRequest> {
  using type = protocol::UnregisterBrokerResponse;
};
template <>
struct AnswerTo<protocol::UpdateFeaturesRequest> {
  using type = protocol::UpdateFeaturesResponse;
};
template <>
struct AnswerTo<protocol::ConsumerGroupDescribeRequest> {
  using type = protocol::ConsumerGroupDescribeResponse;
};
template <>
struct AnswerTo<protocol::ConsumerGroupHeartbeatRequest> {
  using type = protocol::ConsumerGroupHeartbeatResponse;
};
template <>
struct AnswerTo<protocol::FetchRequest> {
  using type = protocol::FetchResponse;
};
template <>
struct AnswerTo<protocol::ListOffsetsRequest> {
  using type = protocol::ListOffsetsResponse;
};
template <>
struct AnswerTo<protocol::OffsetForLeaderEpochRequest> {
  using type = protocol::OffsetForLeaderEpochResponse;
};
template <>
struct AnswerTo<protocol::DeleteGroupsRequest> {
  using type = protocol::DeleteGroupsResponse;
};
template <>
struct AnswerTo<protocol::DescribeGroupsRequest> {
  using type = protocol::DescribeGroupsResponse;
};
template <>
struct AnswerTo<protocol::HeartbeatRequest> {
  using type = protocol::HeartbeatResponse;
};
template <>
struct AnswerTo<protocol::JoinGroupRequest> {
  using type = protocol::JoinGroupResponse;
};
template <>
struct AnswerTo<protocol::LeaveGroupRequest> {
  using type = protocol::LeaveGroupResponse;
};
template <>
struct AnswerTo<protocol::ListGroupsRequest> {
  using type = protocol::ListGroupsResponse;
};
template <>
struct AnswerTo<protocol::OffsetCommitRequest> {
  using type = protocol::OffsetCommitResponse;
};
template <>
struct AnswerTo<protocol::OffsetDeleteRequest> {
  using type = protocol::OffsetDeleteResponse;
};
template <>
struct AnswerTo<protocol::OffsetFetchRequest> {
  using type = protocol::OffsetFetchResponse;
};
template <>
struct AnswerTo<protocol::SyncGroupRequest> {
  using type = protocol::SyncGroupResponse;
};
template <>
struct AnswerTo<protocol::ApiVersionsRequest> {
  using type = protocol::ApiVersionsResponse;
};
template <>
struct AnswerTo<protocol::DescribeClusterRequest> {
  using type = protocol::DescribeClusterResponse;
};
template <>
struct AnswerTo<protocol::DescribeTopicPartitionsRequest> {
  using type = protocol::DescribeTopicPartitionsResponse;
};
template <>
struct AnswerTo<protocol::FindCoordinatorRequest> {
  using type = protocol::FindCoordinatorResponse;
};
template <>
struct AnswerTo<protocol::MetadataRequest> {
  using type = protocol::MetadataResponse;
};
template <>
struct AnswerTo<protocol::ProduceRequest> {
  using type = protocol::ProduceResponse;
};
template <>
struct AnswerTo<protocol::AlterClientQuotasRequest> {
  using type = protocol::AlterClientQuotasResponse;
};
template <>
struct AnswerTo<protocol::DescribeClientQuotasRequest> {
  using type = protocol::DescribeClientQuotasResponse;
};
template <>
struct AnswerTo<protocol::AlterUserScramCredentialsRequest> {
  using type = protocol::AlterUserScramCredentialsResponse;
};
template <>
struct AnswerTo<protocol::CreateAclsRequest> {
  using type = protocol::CreateAclsResponse;
};
template <>
struct AnswerTo<protocol::CreateDelegationTokenRequest> {
  using type = protocol::CreateDelegationTokenResponse;
};
template <>
struct AnswerTo<protocol::DeleteAclsRequest> {
  using type = protocol::DeleteAclsResponse;
};
template <>
struct AnswerTo<protocol::DescribeAclsRequest> {
  using type = protocol::DescribeAclsResponse;
};
template <>
struct AnswerTo<protocol::DescribeDelegationTokenRequest> {
  using type = protocol::DescribeDelegationTokenResponse;
};
template <>
struct AnswerTo<protocol::DescribeUserScramCredentialsRequest> {
  using type = protocol::DescribeUserScramCredentialsResponse;
};
template <>
struct AnswerTo<protocol::ExpireDelegationTokenRequest> {
  using type = protocol::ExpireDelegationTokenResponse;
};
template <>
struct AnswerTo<protocol::RenewDelegationTokenRequest> {
  using type = protocol::RenewDelegationTokenResponse;
};
template <>
struct AnswerTo<protocol::SaslAuthenticateRequest> {
  using type = protocol::SaslAuthenticateResponse;
};
template <>
struct AnswerTo<protocol::SaslHandshakeRequest> {
  using type = protocol::SaslHandshakeResponse;
};
template <>
struct AnswerTo<protocol::AlterShareGroupOffsetsRequest> {
  using type = protocol::AlterShareGroupOffsetsResponse;
};
template <>
struct AnswerTo<protocol::DeleteShareGroupOffsetsRequest> {
  using type = protocol::DeleteShareGroupOffsetsResponse;
};
template <>
struct AnswerTo<protocol::DescribeShareGroupOffsetsRequest> {
  using type = protocol::DescribeShareGroupOffsetsResponse;
};
template <>
struct AnswerTo<protocol::ShareAcknowledgeRequest> {
  using type = protocol::ShareAcknowledgeResponse;
};
template <>
struct AnswerTo<protocol::ShareFetchRequest> {
  using type = protocol::ShareFetchResponse;
};
template <>
struct AnswerTo<protocol::ShareGroupDescribeRequest> {
  using type = protocol::ShareGroupDescribeResponse;
};
template <>
struct AnswerTo<protocol::ShareGroupHeartbeatRequest> {
  using type = protocol::ShareGroupHeartbeatResponse;
};
template <>
struct AnswerTo<protocol::StreamsGroupDescribeRequest> {
  using type = protocol::StreamsGroupDescribeResponse;
};
template <>
struct AnswerTo<protocol::StreamsGroupHeartbeatRequest> {
  using type = protocol::StreamsGroupHeartbeatResponse;
};
template <>
struct AnswerTo<protocol::GetTelemetrySubscriptionsRequest> {
  using type = protocol::GetTelemetrySubscriptionsResponse;
};
template <>
struct AnswerTo<protocol::PushTelemetryRequest> {
  using type = protocol::PushTelemetryResponse;
};
template <>
struct AnswerTo<protocol::AddOffsetsToTxnRequest> {
  using type = protocol::AddOffsetsToTxnResponse;
};
template <>
struct AnswerTo<protocol::AddPartitionsToTxnRequest> {
  using type = protocol::AddPartitionsToTxnResponse;
};
template <>
struct AnswerTo<protocol::DescribeProducersRequest> {
  using type = protocol::DescribeProducersResponse;
};
template <>
struct AnswerTo<protocol::DescribeTransactionsRequest> {
  using type = protocol::DescribeTransactionsResponse;
};
template <>
struct AnswerTo<protocol::EndTxnRequest> {
  using type = protocol::EndTxnResponse;
};
template <>
struct AnswerTo<protocol::InitProducerIdRequest> {
  using type = protocol::InitProducerIdResponse;
};
template <>
struct AnswerTo<protocol::ListTransactionsRequest> {
  using type = protocol::ListTransactionsResponse;
};
template <>
struct AnswerTo<protocol::TxnOffsetCommitRequest> {
  using type = protocol::TxnOffsetCommitResponse;
};
template <>
struct AnswerTo<protocol::WriteTxnMarkersRequest> {
  using type = protocol::WriteTxnMarkersResponse;
};

}  // namespace millrace::client
