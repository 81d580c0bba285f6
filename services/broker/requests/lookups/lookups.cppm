// millrace.broker.requests.lookups: answers made from the image of the cluster alone.
export module millrace.broker.requests.lookups;

export import :cluster_answer;
export import :cluster_view;
export import :metadata_answer;
export import :partitions_answer;
