// millrace-controller.
import millrace.controller;

int main(int argument_count, char** arguments) {
  return millrace::controller::controller_main(argument_count, arguments);
}
