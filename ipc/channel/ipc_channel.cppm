// millrace.ipc.channel: messages between processes of one machine, over rings in shared memory.
export module millrace.ipc.channel;

export import millrace.runtime;
export import :channel;
export import :connecting;
export import :handshake;
export import :limits;
export import :simulated;
import :ring_channel;
import :socket_channel;
import :unix_socket;
