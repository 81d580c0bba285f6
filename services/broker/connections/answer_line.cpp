module;
#include <cstddef>
#include <utility>

module millrace.broker.connections;

import millrace.base;
import millrace.protocol.framing;
import millrace.protocol.wire;

namespace millrace::broker {

AnswerLine::~AnswerLine() {
  check(first_ == nullptr, "a connection outlives its requests");
  while (spare_ != nullptr) delete std::exchange(spare_, spare_->next);
}

Place& AnswerLine::add(std::size_t frame_bytes) {
  Place* place = spare_;
  if (place != nullptr) {
    spare_ = place->next;
    --spare_count_;
    place->next = nullptr;
  } else {
    place = new Place();
  }
  place->frame_bytes = frame_bytes;
  (last_ == nullptr ? first_ : last_->next) = place;
  last_ = place;
  ++size_;
  frame_bytes_ += frame_bytes;
  return *place;
}

void AnswerLine::answered(Place& place) {
  if (place.response->kind() != Response::Kind::frame) return;
  place.response->frame().for_each_piece([&](const protocol::RecordChunk& piece) {
    if (piece.memory != nullptr) place.answer_bytes += piece.size;
  });
  answer_bytes_ += place.answer_bytes;
}

void AnswerLine::remove_first() {
  Place* place = first_;
  first_ = place->next;
  if (first_ == nullptr) last_ = nullptr;
  --size_;
  frame_bytes_ -= place->frame_bytes;
  answer_bytes_ -= std::exchange(place->answer_bytes, 0);
  if (spare_count_ == spare_places_max && size_ < spare_places_max) {
    delete place;
    return;
  }
  place->response.reset();
  place->api = nullptr;
  place->next = spare_;
  spare_ = place;
  ++spare_count_;
}

}  // namespace millrace::broker
