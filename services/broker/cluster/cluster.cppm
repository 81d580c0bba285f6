// millrace.broker.cluster: what a broker and its controllers say to each other. Start with
// cluster_link.cppm.
export module millrace.broker.cluster;

export import millrace.ipc.rpc;
export import millrace.metadata;
export import :cluster_link;
export import :metadata_follower;
export import :shard_image;
