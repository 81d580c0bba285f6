// millrace.runtime.streams: connections: one interface, TCP on the loop of a shard, and a simulated
// network.
export module millrace.runtime.streams;

export import millrace.runtime;
export import millrace.runtime.shard;
export import :address;
export import :network;
export import :signal;
export import :simulated_link;
export import :simulated_network;
export import :stream;
export import :tcp_network;
export import :tcp_stream;
import :system_address;
