// millrace.mock: a Kafka cluster in the process, for tests of what talks to one. It answers real
// frames on a simulated network or on TCP, from memory, and does wrong what a test tells it to.
export module millrace.mock;

export import millrace.base;
export import millrace.protocol.api;
export import :cluster;
export import :faults;
export import :live_cluster;
export import :options;
export import :partition_log;
export import :planted_group;
