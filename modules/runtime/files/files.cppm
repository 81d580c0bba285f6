// millrace.runtime.files: the file systems of running processes, behind the interface FileSystem of
// millrace.runtime: through io_uring, or on a pool of threads. liburing stays inside.
export module millrace.runtime.files;

export import millrace.base;
export import millrace.runtime;
export import :choice;
export import :file_pool;
export import :in_place;
export import :io_uring_file_system;
export import :open_files;
export import :operation_queue;
export import :posix_file_system;
export import :system_calls;
export import :thread_pool_file_system;
export import :write_back;
