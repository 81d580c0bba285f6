// millrace.broker: the parts of a broker put together. Start with :broker.
export module millrace.broker;

export import :adapters;
export import :broker;
export import :broker_options;
export import :broker_shard;
