package millrace.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.message.ConsumerProtocolAssignment;
import org.apache.kafka.common.message.ConsumerProtocolAssignmentJsonConverter;
import org.apache.kafka.common.message.ConsumerProtocolSubscription;
import org.apache.kafka.common.message.ConsumerProtocolSubscriptionJsonConverter;

/** Subscriptions and assignments as consumers embed them: version in two bytes, then the body. */
final class ConsumerProtocolVectors {
    private static final short HIGHEST = ConsumerProtocolSubscription.HIGHEST_SUPPORTED_VERSION;
    private static final short FUTURE = 9;

    private ConsumerProtocolVectors() {}

    static void write(Path data) throws IOException {
        List<String> rows = new ArrayList<>();
        for (short version = 0; version <= HIGHEST; version++) {
            for (Map.Entry<String, Subscription> entry : subscriptions().entrySet()) {
                ByteBuffer bytes =
                    ConsumerProtocol.serializeSubscription(entry.getValue(), version);
                rows.add(
                    row("subscription", version, entry.getKey(), bytes, subscriptionOf(bytes)));
            }
            for (Map.Entry<String, Assignment> entry : assignments().entrySet()) {
                ByteBuffer bytes = ConsumerProtocol.serializeAssignment(entry.getValue(), version);
                rows.add(row("assignment", version, entry.getKey(), bytes, assignmentOf(bytes)));
            }
        }
        ByteBuffer subscription = ofFuture(
            ConsumerProtocol.serializeSubscription(subscriptions().get("full"), HIGHEST));
        rows.add(row("subscription", FUTURE, "future", subscription, subscriptionOf(subscription)));
        ByteBuffer assignment = ofFuture(
            ConsumerProtocol.serializeAssignment(assignments().get("full"), HIGHEST));
        rows.add(row("assignment", FUTURE, "future", assignment, assignmentOf(assignment)));
        Tables.writeRows(data.resolve("consumer_protocol.tsv"), rows);
    }

    private static Map<String, Subscription> subscriptions() {
        List<TopicPartition> owned = List.of(new TopicPartition("orders", 2),
            new TopicPartition("orders", 0), new TopicPartition("caf\u00e9", 7));
        List<String> topics = List.of("orders", "caf\u00e9", "a.b_c-d");
        Map<String, Subscription> cases = new LinkedHashMap<>();
        cases.put("empty", new Subscription(List.of()));
        cases.put("topics", new Subscription(topics));
        cases.put("empty-user-data", new Subscription(topics, bytes()));
        cases.put("owned", new Subscription(topics, bytes(1, 2, 255), owned));
        cases.put("full",
            new Subscription(topics, bytes(0, 128), owned, 41, Optional.of("rack-1")));
        return cases;
    }

    private static Map<String, Assignment> assignments() {
        List<TopicPartition> partitions = List.of(new TopicPartition("orders", 2),
            new TopicPartition("caf\u00e9", Integer.MAX_VALUE), new TopicPartition("orders", 0));
        Map<String, Assignment> cases = new LinkedHashMap<>();
        cases.put("empty", new Assignment(List.of()));
        cases.put("partitions", new Assignment(partitions));
        cases.put("full", new Assignment(partitions, bytes(9, 0, 200)));
        return cases;
    }

    /** A later version with a field not known yet: readers take what the highest known has. */
    private static ByteBuffer ofFuture(ByteBuffer highest) {
        ByteBuffer later = ByteBuffer.allocate(highest.remaining() + 3);
        later.put(highest.duplicate()).put(new byte[] {1, 2, 3}).putShort(0, FUTURE).flip();
        return later;
    }

    private static JsonNode subscriptionOf(ByteBuffer bytes) {
        short version = (short) Math.min(bytes.getShort(bytes.position()), HIGHEST);
        ConsumerProtocolSubscription read =
            ConsumerProtocol.deserializeConsumerProtocolSubscription(bytes.duplicate());
        return ConsumerProtocolSubscriptionJsonConverter.write(read, version);
    }

    private static JsonNode assignmentOf(ByteBuffer bytes) {
        short version = (short) Math.min(bytes.getShort(bytes.position()), HIGHEST);
        ConsumerProtocolAssignment read =
            ConsumerProtocol.deserializeConsumerProtocolAssignment(bytes.duplicate());
        return ConsumerProtocolAssignmentJsonConverter.write(read, version);
    }

    private static String row(String kind, short version, String label, ByteBuffer bytes,
                              JsonNode json) {
        byte[] array = new byte[bytes.remaining()];
        bytes.duplicate().get(array);
        return String.join("\t", kind, Short.toString(version), label,
            HexFormat.of().formatHex(array), json.toString());
    }

    private static ByteBuffer bytes(int... values) {
        ByteBuffer buffer = ByteBuffer.allocate(values.length);
        for (int value : values) {
            buffer.put((byte) value);
        }
        return buffer.flip();
    }
}
