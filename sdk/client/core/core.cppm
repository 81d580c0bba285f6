// millrace.client.core: what producers, consumers and admin clients share: connections, the picture
// of the cluster, settings, errors, and the thread on which all of it lives.
export module millrace.client.core;

export import millrace.base;
export import millrace.protocol.api;
export import millrace.runtime;
export import millrace.runtime.streams;
export import :answers;
export import :backoff;
export import :brokers;
export import :call;
export import :client_thread;
export import :cluster_view;
export import :error;
export import :instance_id;
export import :metadata;
export import :metrics;
export import :resolver;
export import :settings;
export import :settings_catalog;
export import :wait_list;
