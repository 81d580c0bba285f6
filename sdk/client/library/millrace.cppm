// millrace: the module door of the library. The headers are the truth, and the types are theirs: a
// file that imports and a file that includes share them.
module;
#include "millrace/millrace.hpp"

export module millrace;

export namespace millrace {

using millrace::v1::Acks;
using millrace::v1::Admin;
using millrace::v1::AdminOptions;
using millrace::v1::bytes;
using millrace::v1::BytesSerializer;
using millrace::v1::BytesView;
using millrace::v1::cannot_deserialize;
using millrace::v1::ClientOptions;
using millrace::v1::Compression;
using millrace::v1::Config;
using millrace::v1::ConfigChange;
using millrace::v1::ConfigChanges;
using millrace::v1::ConfigEntry;
using millrace::v1::ConfigOperation;
using millrace::v1::ConfigResource;
using millrace::v1::Consumer;
using millrace::v1::ConsumerConfig;
using millrace::v1::ConsumerLike;
using millrace::v1::CreatedTopic;
using millrace::v1::Delivery;
using millrace::v1::DeliveryHandler;
using millrace::v1::DescribedBroker;
using millrace::v1::DescribedCluster;
using millrace::v1::DescribedGroup;
using millrace::v1::DescribedPartition;
using millrace::v1::DescribedTopic;
using millrace::v1::Error;
using millrace::v1::ErrorCode;
using millrace::v1::Failed;
using millrace::v1::float32;
using millrace::v1::float64;
using millrace::v1::FoundOffset;
using millrace::v1::Future;
using millrace::v1::GroupMember;
using millrace::v1::GroupMembership;
using millrace::v1::Header;
using millrace::v1::HeadersView;
using millrace::v1::int16;
using millrace::v1::int32;
using millrace::v1::int64;
using millrace::v1::Isolation;
using millrace::v1::json;
using millrace::v1::JsonSerializer;
using millrace::v1::JsonValue;
using millrace::v1::Lag;
using millrace::v1::ListedGroup;
using millrace::v1::ListedGroups;
using millrace::v1::ListedTopic;
using millrace::v1::LogHandler;
using millrace::v1::LogLevel;
using millrace::v1::name_of;
using millrace::v1::NewTopic;
using millrace::v1::NumberSerializer;
using millrace::v1::OffsetReset;
using millrace::v1::Offsets;
using millrace::v1::operator<<;
using millrace::v1::Origin;
using millrace::v1::Outcomes;
using millrace::v1::OwnedHeader;
using millrace::v1::OwnedRecord;
using millrace::v1::parse_json;
using millrace::v1::Persisted;
using millrace::v1::Producer;
using millrace::v1::ProducerConfig;
using millrace::v1::ProducerLike;
using millrace::v1::RebalanceHandler;
using millrace::v1::Record;
using millrace::v1::Records;
using millrace::v1::RecordView;
using millrace::v1::ResourceType;
using millrace::v1::Result;
using millrace::v1::SerializerOf;
using millrace::v1::text;
using millrace::v1::TextSerializer;
using millrace::v1::Timestamp;
using millrace::v1::to_string;
using millrace::v1::TopicPartition;
using millrace::v1::Transaction;
using millrace::v1::TypedConsumer;
using millrace::v1::TypedProducer;
using millrace::v1::TypedRecord;
using millrace::v1::Uuid;
using millrace::v1::uuid;
using millrace::v1::uuid_from_string;
using millrace::v1::UuidSerializer;
using millrace::v1::WhenFull;

}  // namespace millrace
