// millrace.broker.connections: from the sockets of clients to requests, and from responses back.
// Start with :request, then :listeners and :connection.
export module millrace.broker.connections;

export import :accept_pace;
export import :answer_line;
export import :connection;
export import :connection_limits;
export import :descriptor_files;
export import :limits;
export import :listeners;
export import :metrics;
export import :options;
export import :outbox;
export import :request;
export import :request_memory;
export import :shard_connections;
export import :shown_text;
