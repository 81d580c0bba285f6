package millrace.golden;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.Schema;

/** One file a message: version, label, bytes and meaning of instances in many shapes. */
final class MessageVectors {
    private MessageVectors() {}

    static void write(Path schemas, Path folder) throws IOException, ReflectiveOperationException {
        Files.createDirectories(folder);
        int lines = 0;
        for (SchemaFile file : SchemaFile.readAll(schemas)) {
            Class<?> type = file.kafkaClass();
            if (type == null) {
                System.out.println(file.stem() + ": Kafka has no class for it");
                continue;
            }
            checkVersions(file, type);
            List<String> rows = rows(file, type);
            lines += rows.size();
            Files.writeString(folder.resolve(file.stem() + ".tsv"), String.join("\n", rows) + "\n");
        }
        System.out.println("messages: " + lines + " vectors");
    }

    private static void checkVersions(SchemaFile file, Class<?> type)
            throws ReflectiveOperationException {
        int lowest = type.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
        int highest = type.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
        if (lowest != file.lowest() || highest != file.highest()) {
            System.out.printf("%s: schema says %d-%d, Kafka %d-%d%n",
                file.stem(), file.lowest(), file.highest(), lowest, highest);
        }
    }

    private static List<String> rows(SchemaFile file, Class<?> type)
            throws ReflectiveOperationException {
        List<String> rows = new ArrayList<>();
        for (int version = file.lowest(); version <= file.highest(); version++) {
            boolean flexible = Filler.isFlexible(Filler.schemaOf(type, version));
            Set<String> seen = new HashSet<>();
            for (Shape.Label label : Shape.Label.values()) {
                if (label == Shape.Label.UNKNOWN_TAGS && !flexible) {
                    continue;
                }
                String encoded = encode(file, type, version, label);
                if (seen.add(encoded)) {
                    rows.add(version + "\t" + label.text() + "\t" + encoded);
                }
            }
        }
        return rows;
    }

    private static String encode(SchemaFile file, Class<?> type, int version, Shape.Label label)
            throws ReflectiveOperationException {
        Schema schema = Filler.schemaOf(type, version);
        long seed = seed(file.name() + "/" + version + "/" + label);
        Filler filler = new Filler(new Shape(label, seed));
        Message message = (Message) type.getConstructor().newInstance();
        filler.fill(message, schema, 0);
        byte[] bytes = toBytes(message, (short) version);
        checkReadsBack(message, bytes, (short) version);

        Method toJson = Class.forName(type.getName() + "JsonConverter")
            .getMethod("write", type, short.class, boolean.class);
        JsonNode json = (JsonNode) toJson.invoke(null, message, (short) version, true);
        filler.putRecords(message, schema, json);
        return HexFormat.of().formatHex(bytes) + "\t" + json;
    }

    private static byte[] toBytes(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining()) {
            throw new IllegalStateException(message + ": size and write disagree");
        }
        return buffer.array();
    }

    private static void checkReadsBack(Message message, byte[] bytes, short version)
            throws ReflectiveOperationException {
        Message read = message.getClass().getConstructor().newInstance();
        read.read(new ByteBufferAccessor(ByteBuffer.wrap(bytes)), version);
        if (!read.equals(message)) {
            throw new IllegalStateException(message + " reads back as " + read);
        }
    }

    private static long seed(String text) {
        CRC32 crc = new CRC32();
        crc.update(text.getBytes(StandardCharsets.UTF_8));
        return crc.getValue();
    }
}
