module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>

module millrace.protocol.compression;

import :engine;

namespace millrace::protocol {

// Stands before the memory that it describes; its size keeps that memory aligned for everything.
struct alignas(alignof(std::max_align_t)) CodecMemory::Block {
  std::size_t bytes;
};

CodecMemory::~CodecMemory() {
  trim();
  check(bytes_ == 0, "a codec context outlived its memory");
}

void* CodecMemory::allocate(std::size_t bytes) {
  // A block more than twice too large is left for whoever needs its size.
  const auto fits = [bytes](const Block* block) {
    return block != nullptr && block->bytes >= bytes && block->bytes / 2 <= bytes;
  };
  const auto kept = std::find_if(kept_.begin(), kept_.end(), fits);
  if (kept != kept_.end()) {
    Block* block = *kept;
    *kept = nullptr;
    return block + 1;
  }
  auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + bytes));
  if (block == nullptr) return nullptr;
  block->bytes = bytes;
  bytes_ += bytes;
  return block + 1;
}

void CodecMemory::release(void* memory) {
  if (memory == nullptr) return;
  Block* block = static_cast<Block*>(memory) - 1;
  const auto empty = std::find(kept_.begin(), kept_.end(), nullptr);
  if (empty == kept_.end()) {
    give_back(block);
  } else {
    *empty = block;
  }
}

void CodecMemory::trim() {
  for (Block*& block : kept_) {
    if (block != nullptr) give_back(block);
    block = nullptr;
  }
}

void CodecMemory::give_back(Block* block) {
  bytes_ -= block->bytes;
  std::free(block);
}

}  // namespace millrace::protocol
