// millrace.storage.segment: the files of one segment and how their batches are found.
export module millrace.storage.segment;

export import millrace.protocol.batch;
export import millrace.storage.files;
export import millrace.storage.index;
export import :open_files;
export import :scanner;
