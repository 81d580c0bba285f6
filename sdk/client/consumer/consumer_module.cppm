// millrace.client.consumer: the consumer of a client: positions, fetching, groups, commits. Start
// with consumer_client.cppm.
export module millrace.client.consumer;

export import millrace.client.consumer.groups;
export import millrace.client.core;
export import :classic_driver;
export import :consumer_client;
export import :consumer_meters;
export import :fetch_session;
export import :fetcher;
export import :group_coordinator;
export import :group_driver;
export import :managed_driver;
export import :offset_lookup;
export import :positions;
export import :records;
export import :watchdog;
