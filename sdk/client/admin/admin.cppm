// millrace.client.admin: administrative calls to a cluster, over the connections that all clients
// share the code of.
export module millrace.client.admin;

export import millrace.base;
export import millrace.client.core;
export import :admin_client;
export import :types;
