package millrace.golden;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.metadata.properties.MetaProperties;
import org.apache.kafka.metadata.properties.MetaPropertiesVersion;
import org.apache.kafka.metadata.properties.PropertiesUtils;
import org.apache.kafka.storage.internals.checkpoint.CleanShutdownFileHandler;
import org.apache.kafka.storage.internals.checkpoint.LeaderEpochCheckpointFile;
import org.apache.kafka.storage.internals.checkpoint.OffsetCheckpointFile;
import org.apache.kafka.storage.internals.checkpoint.PartitionMetadataFile;
import org.apache.kafka.storage.internals.log.EpochEntry;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;

/** The small text files of a log directory and of a partition, in text/. */
final class TextFiles {
    private static final LogDirFailureChannel FAILURES = new LogDirFailureChannel(1);
    private static final Uuid TOPIC_ID = Uuid.fromString("3Ns2Xv0-Tj6mP_vqQ1yRkA");
    private static final Uuid DIRECTORY_ID = Uuid.fromString("b0Tz-k4YQ1uCq2eJ_gYV7w");

    static void write(Path directory) throws Exception {
        Path text = Files.createDirectories(directory.resolve("text"));
        writeOffsets(text);
        writeEpochs(text);
        writeMetadata(text);
        writeProperties(text);
        writeCleanShutdown(text);
    }

    private static void writeOffsets(Path text) throws Exception {
        Map<TopicPartition, Long> offsets = new LinkedHashMap<>();
        offsets.put(new TopicPartition("orders", 0), 0L);
        offsets.put(new TopicPartition("orders", 11), 1234567890123L);
        offsets.put(new TopicPartition("a.b-c_d", 2147483647), Long.MAX_VALUE);
        offsets.put(new TopicPartition("__consumer_offsets", 49), 42L);
        offsets.put(new TopicPartition("t".repeat(249), 7), 1L);
        new OffsetCheckpointFile(fresh(text, "offset-checkpoint"), FAILURES).write(offsets);
        new OffsetCheckpointFile(fresh(text, "offset-checkpoint-no-entries"), FAILURES)
                .write(Map.of());
        // As its constructor leaves it until something is written.
        new OffsetCheckpointFile(fresh(text, "offset-checkpoint-empty"), FAILURES);
    }

    private static void writeEpochs(Path text) throws Exception {
        File file = fresh(text, "leader-epoch-checkpoint");
        new LeaderEpochCheckpointFile(file, FAILURES)
                .write(List.of(new EpochEntry(0, 0), new EpochEntry(1, 17), new EpochEntry(5, 1000),
                        new EpochEntry(Integer.MAX_VALUE, Long.MAX_VALUE)));
    }

    private static void writeMetadata(Path text) throws Exception {
        PartitionMetadataFile file =
                new PartitionMetadataFile(fresh(text, "partition.metadata"), FAILURES);
        file.record(TOPIC_ID);
        file.maybeFlush();
    }

    private static void writeProperties(Path text) throws Exception {
        MetaProperties.Builder builder = new MetaProperties.Builder()
                                                 .setVersion(MetaPropertiesVersion.V1)
                                                 .setClusterId("MkU3OEVBNTcwNTJENDM2Qg")
                                                 .setNodeId(2147483647);
        writeProperties(text, "meta.properties-without-directory", builder);
        writeProperties(text, "meta.properties", builder.setDirectoryId(DIRECTORY_ID));
        writeProperties(text, "meta.properties-escaped",
                builder.setNodeId(0).setClusterId(" a=b:c#d!e\\f g\th"));
    }

    // With the date cut out, which is all that differs from run to run.
    private static void writeProperties(Path text, String name, MetaProperties.Builder builder)
            throws Exception {
        Path file = fresh(text, name).toPath();
        PropertiesUtils.writePropertiesFile(builder.build().toProperties(), file.toString(), false);
        List<String> lines = Files.readAllLines(file);
        if (!lines.get(0).equals("#")
                || !lines.get(1).matches("#\\w+ \\w+ \\d+ [\\d:]+ \\w+ \\d+")) {
            throw new IllegalStateException("not the comment of a date: " + lines);
        }
        lines.set(1, "#date");
        Files.writeString(file, String.join("\n", lines) + "\n");
    }

    private static void writeCleanShutdown(Path text) throws Exception {
        CleanShutdownFileHandler handler = new CleanShutdownFileHandler(text.toString());
        handler.write(1234567890123L);
        Files.move(text.resolve(CleanShutdownFileHandler.CLEAN_SHUTDOWN_FILE_NAME),
                fresh(text, "kafka_cleanshutdown").toPath());
    }

    private static File fresh(Path directory, String name) throws Exception {
        Path file = directory.resolve(name);
        Files.deleteIfExists(file);
        return file.toFile();
    }

    private TextFiles() {}
}
