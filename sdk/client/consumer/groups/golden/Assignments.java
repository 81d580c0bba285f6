// Prints groups, made up from a seed, with what Kafka's range and round-robin assignors give their
// members. README.md says how to run it.
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

public class Assignments {
  private static final int CASES = 150;
  private static final String[] TOPICS = {"orders", "payments", "users", "clicks", "audit"};
  private static final String[] RACKS = {"a", "b", "c"};

  public static void main(String[] args) {
    Random random = new Random(20260101);
    for (int i = 0; i < CASES; i++) {
      one(i, random);
    }
  }

  private static void one(int number, Random random) {
    System.out.println("case " + number);
    boolean racks = random.nextInt(2) == 0;
    boolean equal = random.nextInt(3) == 0;  // the same number of partitions in all topics
    int size = 1 + random.nextInt(9);
    List<Node> nodes = new ArrayList<>();
    for (int i = 0; i < RACKS.length; i++) {
      nodes.add(new Node(i, "host" + i, 9092, racks ? RACKS[i] : null));
    }
    List<PartitionInfo> partitions = new ArrayList<>();
    int topics = 1 + random.nextInt(TOPICS.length);
    for (int t = 0; t < topics; t++) {
      int count = equal ? size : random.nextInt(10);
      List<String> written = new ArrayList<>();
      int replicas = 1 + random.nextInt(3);
      for (int p = 0; p < count; p++) {
        List<Node> shuffled = new ArrayList<>(nodes);
        Collections.shuffle(shuffled, random);
        Node[] chosen = shuffled.subList(0, replicas).toArray(new Node[0]);
        partitions.add(new PartitionInfo(TOPICS[t], p, chosen[0], chosen, chosen));
        written.add(shuffled.subList(0, replicas).stream().map(Node::rack)
            .collect(Collectors.joining(",")));
      }
      System.out.println("topic " + TOPICS[t] + " " + count + " "
          + (racks && count > 0 ? String.join(";", written) : "-"));
    }
    Map<String, ConsumerPartitionAssignor.Subscription> members = new HashMap<>();
    int consumers = 1 + random.nextInt(6);
    boolean alike = random.nextInt(2) == 0;
    for (int m = 0; m < consumers; m++) {
      List<String> subscribed = new ArrayList<>();
      for (int t = 0; t < topics; t++) {
        if (alike || random.nextInt(3) > 0) {
          subscribed.add(TOPICS[t]);
        }
      }
      String rack = racks && random.nextInt(4) > 0 ? RACKS[random.nextInt(RACKS.length)] : null;
      String instance = random.nextInt(4) == 0 ? "static-" + (9 - m) : null;
      String id = "member-" + random.nextInt(10) + "-" + m;
      ConsumerPartitionAssignor.Subscription subscription =
          new ConsumerPartitionAssignor.Subscription(
              subscribed, null, Collections.emptyList(), -1, Optional.ofNullable(rack));
      subscription.setGroupInstanceId(Optional.ofNullable(instance));
      members.put(id, subscription);
      System.out.println("member " + id + " " + (instance == null ? "-" : instance) + " "
          + (rack == null ? "-" : rack) + " "
          + (subscribed.isEmpty() ? "-" : String.join(",", subscribed)));
    }
    Cluster cluster = new Cluster("cluster", nodes, partitions, new HashSet<>(), new HashSet<>());
    print("range", new RangeAssignor(), cluster, members);
    print("roundrobin", new RoundRobinAssignor(), cluster, members);
  }

  private static void print(String name, ConsumerPartitionAssignor assignor, Cluster cluster,
                            Map<String, ConsumerPartitionAssignor.Subscription> members) {
    Map<String, ConsumerPartitionAssignor.Assignment> result = new TreeMap<>(
        assignor.assign(cluster, new ConsumerPartitionAssignor.GroupSubscription(members))
            .groupAssignment());
    result.forEach((member, assignment) -> {
      String text = assignment.partitions().stream().map(TopicPartition::toString).sorted()
          .collect(Collectors.joining(","));
      System.out.println(name + " " + member + " " + (text.isEmpty() ? "-" : text));
    });
  }
}
