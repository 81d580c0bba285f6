// This file includes, two_doors_made.cpp imports; what one makes the other takes.
#include <millrace/millrace.hpp>

#include <iostream>

millrace::Config made_by_module();

int main() {
  const millrace::Config config = made_by_module();
  if (config.get("acks") != "all") return 1;
  std::cout << "two doors: acks=" << *config.get("acks") << '\n';
}
