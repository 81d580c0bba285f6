// millrace.client.producer: records from any thread, batched, sent, and told of exactly once. Start
// with producer_client.cppm.
export module millrace.client.producer;

export import :accumulator;
export import :batch;
export import :choice;
export import :consequence;
export import :coordinators;
export import :delivery;
export import :memory;
export import :partition;
export import :producer_client;
export import :producer_meters;
export import :request;
export import :sealing;
export import :sender;
export import :sequences;
export import :topics;
export import :transaction_state;
export import :transactor;
export import :verdict;
