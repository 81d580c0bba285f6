// millrace.broker.partitions: the partitions of a broker on its shards, and the requests for their
// data.
export module millrace.broker.partitions;

export import :host;
export import :partition;
export import :settings;
export import :shard_partitions;
