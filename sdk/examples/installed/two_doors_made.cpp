import millrace;

millrace::Config made_by_module() {
  return millrace::Config{{"acks", "all"}};
}
