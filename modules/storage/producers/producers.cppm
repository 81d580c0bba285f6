// millrace.storage.producers: what a partition remembers of its producers, so that a repeated batch
// is not written twice and an open transaction is not read, and of its leaders, so that followers
// know where histories part. Classes without I/O, and their files.
export module millrace.storage.producers;

export import millrace.base;
export import millrace.protocol.batch;
export import millrace.storage.files;
export import :epochs;
export import :snapshot;
export import :staged;
export import :state;
export import :states;
