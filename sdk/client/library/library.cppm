// millrace.client.library: what is between the public types and the modules of the client.
export module millrace.client.library;

export import :bridge;
export import :consumer_core;
