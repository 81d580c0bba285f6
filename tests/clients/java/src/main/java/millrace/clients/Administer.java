package millrace.clients;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.TopicExistsException;

/** BOOTSTRAP TOPIC GROUP: each administrative call on a topic and a group of its own. */
final class Administer {
  private static final int RECORDS = 100;

  private final Admin admin;
  private final String bootstrap;
  private final String topic;
  private final String group;
  private final TopicPartition place;

  private Administer(Admin admin, String bootstrap, String topic, String group) {
    this.admin = admin;
    this.bootstrap = bootstrap;
    this.topic = topic;
    this.group = group;
    this.place = new TopicPartition(topic, 0);
  }

  static void run(String bootstrap, String topic, String group) throws Exception {
    try (Admin admin = Admin.create(Patience.settings(bootstrap))) {
      var here = new Administer(admin, bootstrap, topic, group);
      here.topics();
      System.out.println("ok topics");
      here.configs();
      System.out.println("ok configs");
      here.records();
      System.out.println("ok records");
      here.groups();
      System.out.println("ok groups");
      here.offsets();
      System.out.println("ok offsets");
      here.cluster();
      System.out.println("ok cluster");
      admin.deleteTopics(List.of(topic)).all().get();
      until("the topic to be gone", () -> !admin.listTopics().names().get().contains(topic));
      System.out.println("ok deletion");
    }
  }

  private static void same(Object wanted, Object found) {
    if (!wanted.equals(found)) {
      throw new AssertionError("wanted " + wanted + ", found " + found);
    }
  }

  private static void until(String what, Callable<Boolean> holds) throws Exception {
    long end = System.nanoTime() + Patience.LIMIT.toNanos();
    while (System.nanoTime() < end) {
      try {
        if (holds.call()) {
          return;
        }
      } catch (ExecutionException e) {
        // A broker may not have heard of the newest metadata.
        if (!(e.getCause() instanceof org.apache.kafka.common.errors.RetriableException)) {
          throw e;
        }
      }
      Thread.sleep(100);
    }
    throw new AssertionError("waited in vain for " + what);
  }

  private static void refused(Class<?> kind, Callable<?> call) throws Exception {
    try {
      call.call();
    } catch (ExecutionException e) {
      if (kind.isInstance(e.getCause())) {
        return;
      }
      throw e;
    }
    throw new AssertionError("was not refused with " + kind);
  }

  private void topics() throws Exception {
    var wanted =
        new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "3600000"));
    var made = admin.createTopics(List.of(wanted));
    same(2, made.numPartitions(topic).get());
    same("3600000", made.config(topic).get().get("retention.ms").value());
    refused(
        TopicExistsException.class, () -> admin.createTopics(List.of(wanted)).all().get());
    until("the topic", () -> admin.listTopics().names().get().contains(topic));
    admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
    until(
        "three partitions",
        () ->
            admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions()
                    .size()
                == 3);
    var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    same(made.topicId(topic).get(), described.topicId());
    same(1, described.partitions().get(2).isr().size());
  }

  private static AlterConfigOp change(String value, AlterConfigOp.OpType type) {
    return new AlterConfigOp(new ConfigEntry("retention.ms", value), type);
  }

  private void configs() throws Exception {
    var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    Callable<ConfigEntry> retention =
        () ->
            admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms");
    same(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.call().source());
    var set = change("7200000", AlterConfigOp.OpType.SET);
    admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
    until("the setting", () -> retention.call().value().equals("7200000"));
    var unset = change("", AlterConfigOp.OpType.DELETE);
    admin.incrementalAlterConfigs(Map.of(resource, List.of(unset))).all().get();
    until("the default", () -> retention.call().isDefault());
    var wrong = change("long", AlterConfigOp.OpType.SET);
    refused(
        InvalidConfigurationException.class,
        () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(wrong))).all().get());
    admin.listConfigResources().all().get();
  }

  private long offset(OffsetSpec spec) throws Exception {
    return admin.listOffsets(Map.of(place, spec)).partitionResult(place).get().offset();
  }

  private void records() throws Exception {
    Produce.run(bootstrap, topic, "lz4", 3 * RECORDS);
    long end = offset(OffsetSpec.latest());
    same(true, end > 20);
    same(0L, offset(OffsetSpec.earliest()));
    same(0L, offset(OffsetSpec.forTimestamp(1000)));
    same(true, offset(OffsetSpec.maxTimestamp()) >= 0);
    var deleted = admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(20)));
    same(20L, deleted.lowWatermarks().get(place).get().lowWatermark());
    same(20L, offset(OffsetSpec.earliest()));
    var producers = admin.describeProducers(List.of(place)).partitionResult(place).get();
    same(1, producers.activeProducers().size());
  }

  private void groups() throws Exception {
    var committed = Map.of(place, new OffsetAndMetadata(25, Optional.of(0), "a note"));
    admin.alterConsumerGroupOffsets(group, committed).all().get();
    var read = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    same(committed, read);
    Collection<String> known =
        admin.listGroups().all().get().stream().map(listing -> listing.groupId()).toList();
    same(true, known.contains(group));
    var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    same(GroupState.EMPTY, described.groupState());
  }

  private void offsets() throws Exception {
    admin.deleteConsumerGroupOffsets(group, Set.of(place)).all().get();
    var read = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    same(true, read.values().stream().allMatch(java.util.Objects::isNull));
    admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(30))).all().get();
    admin.deleteConsumerGroups(List.of(group)).all().get();
    Collection<String> known =
        admin.listGroups().all().get().stream().map(listing -> listing.groupId()).toList();
    same(false, known.contains(group));
  }

  private void cluster() throws Exception {
    var described = admin.describeCluster();
    var nodes = described.nodes().get();
    same(true, nodes.contains(described.controller().get()));
    same(false, described.clusterId().get().isEmpty());
    var ids = nodes.stream().map(node -> node.id()).toList();
    var size =
        admin.describeLogDirs(ids).allDescriptions().get().values().stream()
            .flatMap(folders -> folders.values().stream())
            .filter(folder -> folder.replicaInfos().containsKey(place))
            .mapToLong(folder -> folder.replicaInfos().get(place).size())
            .sum();
    same(true, size > 0);
    var quorum = admin.describeMetadataQuorum().quorumInfo().get();
    same(true, quorum.voters().stream().anyMatch(v -> v.replicaId() == quorum.leaderId()));
    admin.describeFeatures().featureMetadata().get();
  }
}
