#include <utility>

import millrace;

millrace::Producer made_by_module() {
  return millrace::Producer({{"bootstrap.servers", "localhost:9092"}});
}

millrace::Result<void> closed_by_module(millrace::Producer producer) {
  return producer.close();
}
