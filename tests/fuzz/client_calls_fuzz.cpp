// Answers of a cluster that are damaged on their way to a client: every call ends, no record is
// changed, none has two outcomes, and no memory is left behind.
//
// An input: which client, the seed of what is drawn, a byte of choices, and then damage
// (damaging_network.hpp) to one answer after the other; those after its end arrive as they are.
#include "client_calls.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  millrace::fuzz::Input input(data, size);
  switch (input.byte() % 3) {
    case 0:
      millrace::fuzz::consume(input);
      break;
    case 1:
      millrace::fuzz::produce(input);
      break;
    default:
      millrace::fuzz::administer(input);
      break;
  }
  return 0;
}
