// Fetch: what consumers read, with sessions and waiting. Start with :requests.
export module millrace.broker.fetching;

export import :answer;
export import :part;
export import :requests;
export import :session;
export import :session_cache;
