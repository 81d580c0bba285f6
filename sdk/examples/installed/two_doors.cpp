// This file includes, two_doors_made.cpp imports; what one makes the other takes.
#include <millrace/millrace.hpp>

#include <iostream>

millrace::Producer made_by_module();
millrace::Result<void> closed_by_module(millrace::Producer producer);

int main() {
  millrace::Producer producer = made_by_module();
  if (auto flushed = producer.flush(std::chrono::seconds(1)); !flushed) return 1;
  const millrace::Result<void> closed = closed_by_module(std::move(producer));
  std::cout << "two doors: " << (closed ? "closed" : closed.error().message()) << '\n';
}
