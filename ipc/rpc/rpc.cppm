// millrace.ipc.rpc: how our processes call one another across hosts. Cap'n Proto carries it; none
// of its types is seen from outside. Start with controller_api.cppm.
export module millrace.ipc.rpc;

export import millrace.protocol.api;
export import millrace.runtime;
export import :controller_api;
export import :controller_client;
export import :controller_server;
export import :limits;
export import :rpc_thread;
