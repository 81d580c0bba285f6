package millrace.golden;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.StringJoiner;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The text form of records that all clients share: timestamp, key, value, headers. */
final class Workload {
    private Workload() {}

    static List<String> lines(Path file) throws IOException {
        return Files.readAllLines(file, StandardCharsets.US_ASCII);
    }

    static ProducerRecord<byte[], byte[]> record(String topic, String line) {
        String[] columns = line.split("\t", -1);
        List<Header> headers = new ArrayList<>();
        for (String header : columns[3].split(",")) {
            if (!header.isEmpty()) {
                String[] pair = header.split(":", -1);
                String name = new String(bytes(pair[0]), StandardCharsets.UTF_8);
                headers.add(new RecordHeader(name, bytes(pair[1])));
            }
        }
        return new ProducerRecord<>(topic, 0, Long.parseLong(columns[0]), bytes(columns[1]),
            bytes(columns[2]), headers);
    }

    static String headersText(Header[] headers) {
        StringJoiner text = new StringJoiner(",");
        for (Header header : headers) {
            String name = HexFormat.of().formatHex(header.key().getBytes(StandardCharsets.UTF_8));
            text.add(name + ":" + hex(header.value()));
        }
        return text.toString();
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "null" : HexFormat.of().formatHex(bytes);
    }

    private static byte[] bytes(String hex) {
        return hex.equals("null") ? null : HexFormat.of().parseHex(hex);
    }
}
