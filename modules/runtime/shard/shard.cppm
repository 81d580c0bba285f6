// millrace.runtime.shard: the shards of a running process: threads with an event loop each, and how
// they call one another.
export module millrace.runtime.shard;

export import millrace.runtime;
export import millrace.telemetry;
export import :arrivals;
export import :call;
export import :shard_loop;
export import :shards;
export import :simulated_shards;
