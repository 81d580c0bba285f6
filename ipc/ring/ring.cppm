// millrace.ipc.ring: rings of bytes in memory that two processes share.
export module millrace.ipc.ring;

export import millrace.base;
export import :ends;
export import :layout;
export import :limits;
export import :memory;
