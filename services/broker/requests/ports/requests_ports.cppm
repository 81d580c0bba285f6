// millrace.broker.requests.ports: what stands behind the requests of clients, as interfaces.
export module millrace.broker.requests.ports;

export import millrace.broker.connections;
export import millrace.ipc.rpc;
export import millrace.metadata;
export import millrace.security;
export import :body;
export import :permissions;
export import :ports;
