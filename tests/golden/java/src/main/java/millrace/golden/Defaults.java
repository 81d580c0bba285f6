package millrace.golden;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.protocol.Message;

/** The default of every field of every message, also of fields that a version does not have. */
final class Defaults {
    private Defaults() {}

    static void write(Path schemas, Path data) throws IOException, ReflectiveOperationException {
        List<String> rows = new ArrayList<>();
        for (SchemaFile file : SchemaFile.readAll(schemas)) {
            Class<?> type = file.kafkaClass();
            if (type == null) {
                continue;
            }
            for (Map.Entry<String, Class<?>> struct : SchemaFile.structs(type).entrySet()) {
                addRows(file.stem() + "\t" + struct.getKey(), struct.getValue(), rows);
            }
        }
        Tables.writeRows(data.resolve("defaults.tsv"), rows);
    }

    private static void addRows(String prefix, Class<?> type, List<String> rows)
            throws ReflectiveOperationException {
        Object message = type.getConstructor().newInstance();
        for (Field field : SchemaFile.protocolFields(type)) {
            Object value = type.getMethod(field.getName()).invoke(message);
            rows.add(prefix + "\t" + field.getName() + "\t" + text(value));
        }
    }

    private static String text(Object value) {
        if (value == null) {
            return "null";
        }
        if (value instanceof Message) {
            return "{}";
        }
        if (value instanceof Collection<?> collection) {
            return collection.isEmpty() ? "[]" : collection.toString();
        }
        if (value instanceof byte[] bytes) {
            return "bytes " + bytes.length;
        }
        if (value instanceof ByteBuffer bytes) {
            return "bytes " + bytes.remaining();
        }
        return value instanceof String string ? '"' + string + '"' : value.toString();
    }
}
