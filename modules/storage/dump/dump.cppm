// millrace.storage.dump: what lies in log directories, for people and tools: printed as text or as
// JSON, and checked. Reads only.
export module millrace.storage.dump;

export import millrace.storage.files;
export import millrace.storage.index;
export import millrace.storage.producers;
export import millrace.storage.segment;
export import :decoder;
export import :dumper;
export import :json;
export import :log_walk;
export import :printer;
export import :sink;
export import :verify;
