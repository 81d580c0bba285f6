package millrace.clients;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/** BOOTSTRAP TOPIC CODEC COUNT: produces idempotently, and waits for each acknowledgement. */
final class Produce {
  private Produce() {}

  static void run(String bootstrap, String topic, String codec, int count) throws Exception {
    Map<String, Object> settings = Patience.ofProducer(bootstrap, codec);
    settings.put("linger.ms", 5);
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    try (var producer =
        new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      for (int i = 0; i < count; i++) {
        sent.add(producer.send(new ProducerRecord<>(topic, "key-" + i % 17, codec + "-" + i)));
      }
      for (var future : sent) {
        future.get();
      }
    }
  }
}
