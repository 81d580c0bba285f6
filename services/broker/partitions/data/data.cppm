// millrace.broker.partitions.data: the requests of clients for the data of partitions. Start with
// :data_requests.
export module millrace.broker.partitions.data;

export import :data_requests;
export import :metrics;
