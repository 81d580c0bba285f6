// millrace.broker.connections: from the sockets of clients to requests, and from responses back.
// Start with :request.
export module millrace.broker.connections;

export import :request;
