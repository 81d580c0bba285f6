package millrace.golden;

import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.storage.internals.log.LocalLog;

/** directory_names.tsv: names of directories and the partition that Kafka reads in them. */
final class DirectoryNames {
    private static final String ID = "0123456789abcdef0123456789abcdef";

    static void write(Path directory) throws Exception {
        Path file = directory.resolve("directory_names.tsv");
        try (PrintStream out = new PrintStream(
                     Files.newOutputStream(file), false, StandardCharsets.UTF_8)) {
            for (String name : names()) {
                String read;
                try {
                    TopicPartition partition =
                            LocalLog.parseTopicPartitionName(new File("/logs/" + name));
                    read = partition.topic() + "\t" + partition.partition();
                } catch (KafkaException refused) {
                    read = "refused\t-";
                }
                out.print(name + "\t" + read + "\n");
            }
        }
    }

    // The second part: how long the names are that Kafka makes for topics of every length.
    private static List<String> names() {
        List<String> names = new ArrayList<>();
        for (String topic : List.of("orders", "a.b", "a-b", "-", "a-1", "x.delete", "a-delete",
                     "a.b-delete", "a-1.b-delete", "t".repeat(249))) {
            TopicPartition partition = new TopicPartition(topic, 11);
            names.add(LocalLog.logDirName(partition));
            for (String suffix : List.of("-delete", "-future", "-stray")) {
                names.add(topic + "-11." + ID + suffix);
                names.add(topic + "-11." + suffix);
                names.add(topic + "-11" + suffix);
                names.add(topic + "." + ID + suffix);
            }
            names.add(capped(LocalLog.logDeleteDirName(partition)));
            names.add(capped(LocalLog.logStrayDirName(partition)));
        }
        names.addAll(List.of("orders", "orders-", "-1", "orders-x", "orders-1x",
                "orders-2147483648", "orders-1.swap", "-delete", ".-delete", "orders-1.a-b-delete",
                "orders-1.a.b-delete"));
        return names;
    }

    // Kafka makes a random id: another in its place keeps the file the same from run to run.
    private static String capped(String name) {
        return name.replaceAll("[0-9a-f]{32}", ID);
    }

    private DirectoryNames() {}
}
