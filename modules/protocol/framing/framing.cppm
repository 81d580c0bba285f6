// millrace.protocol.framing: what lies between a stream of bytes and a message.
export module millrace.protocol.framing;

export import millrace.protocol.api;
export import millrace.protocol.wire;
export import :header;
export import :in_flight;
export import :outgoing;
export import :splitter;
export import :versioned;
