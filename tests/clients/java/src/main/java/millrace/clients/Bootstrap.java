package millrace.clients;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.metadata.ConfigRecord;
import org.apache.kafka.common.metadata.PartitionRecord;
import org.apache.kafka.common.metadata.ProducerIdsRecord;
import org.apache.kafka.common.metadata.TopicRecord;
import org.apache.kafka.metadata.bootstrap.BootstrapDirectory;
import org.apache.kafka.metadata.bootstrap.BootstrapMetadata;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/**
 * METADATA_DIRECTORY LOG_DIRECTORY NODE: the topics of a log directory, with their ids, become part
 * of what a formatted node of Apache Kafka begins its metadata with.
 */
final class Bootstrap {
  /** Above all that the logs know: a batch of a producer whose id comes again may pass for one. */
  private static final long NEXT_PRODUCER_ID = 1_000_000;

  private Bootstrap() {}

  private static Properties properties(Path file) throws Exception {
    var properties = new Properties();
    try (var reader = Files.newBufferedReader(file)) {
      properties.load(reader);
    }
    return properties;
  }

  /** What each partition.metadata says, by "topic-partition". */
  private static Map<String, Uuid> partitions(Path logs) throws Exception {
    Map<String, Uuid> found = new TreeMap<>();
    try (var folders = Files.list(logs)) {
      for (Path file :
          folders.map(folder -> folder.resolve("partition.metadata"))
              .filter(Files::exists)
              .collect(Collectors.toList())) {
        // Java's properties take "topic_id: x" as well as "topic_id=x".
        String id = properties(file).getProperty("topic_id");
        found.put(file.getParent().getFileName().toString(), Uuid.fromString(id));
      }
    }
    return found;
  }

  /** An epoch above those that the partition's batches carry. */
  private static int nextEpoch(Path folder) throws Exception {
    Path file = folder.resolve("leader-epoch-checkpoint");
    if (!Files.exists(file)) {
      return 0;
    }
    // A version, a count, then lines of an epoch and its first offset.
    List<String> lines = Files.readAllLines(file);
    int entries = Integer.parseInt(lines.get(1));
    return entries == 0 ? 0 : Integer.parseInt(lines.get(1 + entries).split(" ")[0]) + 1;
  }

  static void run(String metadata, String logs, String node) throws Exception {
    int id = Integer.parseInt(node);
    Uuid directory =
        Uuid.fromString(
            properties(Path.of(logs, "meta.properties")).getProperty("directory.id"));
    var known = new BootstrapDirectory(metadata).read();
    List<ApiMessageAndVersion> records = new ArrayList<>(known.records());
    Map<String, Uuid> topics = new TreeMap<>();
    List<ApiMessageAndVersion> partitions = new ArrayList<>();
    for (var found : partitions(Path.of(logs)).entrySet()) {
      int dash = found.getKey().lastIndexOf('-');
      topics.put(found.getKey().substring(0, dash), found.getValue());
      var partition =
          new PartitionRecord()
              .setTopicId(found.getValue())
              .setPartitionId(Integer.parseInt(found.getKey().substring(dash + 1)))
              .setReplicas(List.of(id))
              .setIsr(List.of(id))
              .setLeader(id)
              .setLeaderEpoch(nextEpoch(Path.of(logs, found.getKey())))
              .setDirectories(List.of(directory));
      partitions.add(new ApiMessageAndVersion(partition, (short) 1));
    }
    topics.forEach(
        (name, topic) ->
            records.add(
                new ApiMessageAndVersion(
                    new TopicRecord().setName(name).setTopicId(topic), (short) 0)));
    records.addAll(partitions);
    var producers = new ProducerIdsRecord().setBrokerId(id).setNextProducerId(NEXT_PRODUCER_ID);
    records.add(new ApiMessageAndVersion(producers, (short) 0));
    if (topics.containsKey("__consumer_offsets")) {
      var compact =
          new ConfigRecord()
              .setResourceType(ConfigResource.Type.TOPIC.id())
              .setResourceName("__consumer_offsets")
              .setName("cleanup.policy")
              .setValue("compact");
      records.add(new ApiMessageAndVersion(compact, (short) 0));
    }
    new BootstrapDirectory(metadata)
        .writeBinaryFile(BootstrapMetadata.fromRecords(records, "log directory"));
    System.out.println(topics.size() + " topics");
  }
}
