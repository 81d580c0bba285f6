// millrace.storage.files: what a log directory holds besides the data: how its files and
// directories are named, the small text files in Kafka's formats, and how such a file is replaced
// without a moment in which neither the old nor the new one is there.
export module millrace.storage.files;

export import millrace.base;
export import millrace.runtime;
export import :checkpoint;
export import :directory;
export import :error;
export import :names;
export import :partition;
export import :small_file;
export import :text;
