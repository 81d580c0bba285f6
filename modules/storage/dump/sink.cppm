// Where the text of a dump goes.
module;
#include <string_view>

export module millrace.storage.dump:sink;

export namespace millrace::storage {

// Takes the text of a dump piece by piece, in order, at most a block at a time. Owned by whoever
// asks for the dump; called on the thread of the dump, which waits meanwhile.
class DumpSink {
 public:
  virtual ~DumpSink() = default;

  // False if no more is wanted, as from a pipe that was closed: the dump then ends.
  [[nodiscard]] virtual bool write(std::string_view text) = 0;

 protected:
  DumpSink() = default;
  DumpSink(const DumpSink&) = delete;
  DumpSink& operator=(const DumpSink&) = delete;
};

}  // namespace millrace::storage
