// millrace.protocol.wire: the ground under every generated message: what a field can hold, and how
// it is read from a receive buffer and written to a send buffer. Generated code calls the read_ and
// write_ functions; everyone else uses the messages and, to build them, Array, Records and Arena.
export module millrace.protocol.wire;

export import millrace.base;
export import :arena;
export import :decode;
export import :encode;
export import :values;
