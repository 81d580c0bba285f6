package millrace.clients;

import java.util.Arrays;

/** One program for all that the tests ask of the Java clients. See README.md of tests/clients. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    String[] words = Arrays.copyOfRange(arguments, 1, arguments.length);
    switch (arguments[0]) {
      case "produce" -> Produce.run(words[0], words[1], words[2], Integer.parseInt(words[3]));
      case "member" -> Member.run(words);
      case "admin" -> Administer.run(words[0], words[1], words[2]);
      case "exchange" -> Exchange.run(words);
      case "dump" -> Dump.run(words[0]);
      case "rehearsal" -> Rehearsal.run(words[0], words[1], words[2]);
      case "streaming" -> Streaming.run(words[0], words[1], words[2], words[3]);
      case "values" -> Values.run(words[0], words[1], words[2]);
      case "bootstrap" -> Bootstrap.run(words[0], words[1], words[2]);
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }
}
