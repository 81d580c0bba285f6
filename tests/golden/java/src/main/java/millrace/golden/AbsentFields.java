package millrace.golden;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.Schema;

/** What Kafka does with a field that is set but not in the version: leaves it out, or refuses. */
final class AbsentFields {
    private AbsentFields() {}

    static void write(Path schemas, Path data) throws IOException, ReflectiveOperationException {
        List<String> rows = new ArrayList<>();
        for (SchemaFile file : SchemaFile.readAll(schemas)) {
            Class<?> type = file.kafkaClass();
            if (type != null) {
                for (var struct : SchemaFile.structs(type).entrySet()) {
                    addRows(file, struct.getKey(), struct.getValue(), rows);
                }
            }
        }
        Tables.writeRows(data.resolve("absent_fields.tsv"), rows);
    }

    private static void addRows(SchemaFile file, String name, Class<?> type, List<String> rows)
            throws ReflectiveOperationException {
        Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
        for (Field field : SchemaFile.protocolFields(type)) {
            Schema present = null;
            for (Schema schema : schemas) {
                present = schema != null && Filler.hasField(schema, field) ? schema : present;
            }
            for (int v = file.lowest(); present != null && v <= file.highest(); v++) {
                Schema schema = v < schemas.length ? schemas[v] : null;
                if (schema != null && !Filler.hasField(schema, field)) {
                    boolean refused = isRefused(type, field, present, (short) v);
                    rows.add(String.join("\t", file.stem(), name, field.getName(),
                        Integer.toString(v), refused ? "refused" : "left-out"));
                }
            }
        }
    }

    private static boolean isRefused(Class<?> type, Field field, Schema present, short version)
            throws ReflectiveOperationException {
        Message message = (Message) type.getConstructor().newInstance();
        Filler filler = new Filler(new Shape(Shape.Label.FULL_2, 1));
        filler.fillOne(message, present, field);
        try {
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
            message.write(new ByteBufferAccessor(buffer), cache, version);
            return false;
        } catch (UnsupportedVersionException refused) {
            return true;
        }
    }
}
