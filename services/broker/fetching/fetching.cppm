// Fetch: what consumers read, with sessions and waiting.
export module millrace.broker.fetching;

export import :session;
export import :session_cache;
