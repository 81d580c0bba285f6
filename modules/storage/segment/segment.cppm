// millrace.storage.segment: the files of one segment and how their batches are found.
export module millrace.storage.segment;

export import millrace.protocol.batch;
export import millrace.storage.files;
export import millrace.storage.index;
export import :batch_order;
export import :batch_spans;
export import :batch_walker;
export import :context;
export import :index_cache;
export import :index_file;
export import :log_segment;
export import :open_files;
export import :scanner;
