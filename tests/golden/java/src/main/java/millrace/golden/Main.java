package millrace.golden;

import java.nio.file.Path;

/** Writes every golden file that needs only Kafka's classes, no broker. */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        if (args.length != 2) {
            throw new IllegalArgumentException("usage: Main <schema folder> <data folder>");
        }
        Path schemas = Path.of(args[0]);
        Path data = Path.of(args[1]);
        MessageVectors.write(schemas, data.resolve("messages"));
        ConsumerProtocolVectors.write(data);
        Defaults.write(schemas, data);
        AbsentFields.write(schemas, data);
        Tables.write(data);
    }
}
