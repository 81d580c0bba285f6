package millrace.golden;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.TreeSet;
import org.apache.kafka.common.message.ShareFetchResponseData;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

/** Sets the fields of a generated message as a shape says, for those fields that a version has. */
final class Filler {
    private final Shape shape;

    Filler(Shape shape) {
        this.shape = shape;
    }

    static Schema schemaOf(Class<?> message, int version) throws ReflectiveOperationException {
        return (Schema) message.getField("SCHEMA_" + version).get(null);
    }

    void fill(Message message, Schema schema, int depth) throws ReflectiveOperationException {
        Message untouched = newInstance(message.getClass());
        for (Field field : fieldsOf(schema)) {
            Method setter = setterOf(message.getClass(), field);
            Method getter = getterOf(setter);
            Object before = getter.invoke(message);
            Object value = chooseValue(field.type, setter, before, depth);
            if (value != before) {
                setter.invoke(message, value);
            }
            if (shape.mustDifferFromDefault()
                && Objects.equals(getter.invoke(message), getter.invoke(untouched))) {
                throw new IllegalStateException(setter + " kept its default");
            }
        }
        if (shape.addsUnknownTags() && isFlexible(schema)) {
            addUnknownTags(message);
        }
    }

    /** Sets a single field, taking its type from a version that has it. */
    void fillOne(Message message, Schema schema, java.lang.reflect.Field which)
            throws ReflectiveOperationException {
        for (Field field : fieldsOf(schema)) {
            Method setter = setterOf(message.getClass(), field);
            if (nameOf(setter).equals(which.getName())) {
                Object before = getterOf(setter).invoke(message);
                setter.invoke(message, chooseValue(field.type, setter, before, 0));
            }
        }
    }

    static boolean hasField(Schema schema, java.lang.reflect.Field which) {
        return fieldsOf(schema).stream()
            .anyMatch(field -> field.name.replace("_", "").equalsIgnoreCase(which.getName()));
    }

    /** Kafka's JSON leaves record bytes empty: puts the true ones in, as base64. */
    void putRecords(Message message, Schema schema, JsonNode json)
            throws ReflectiveOperationException {
        for (Field field : fieldsOf(schema)) {
            Method setter = setterOf(message.getClass(), field);
            String name = nameOf(setter);
            Object value = getterOf(setter).invoke(message);
            JsonNode node = json.get(name);
            if (value == null || node == null || node.isNull()) {
                continue;
            }
            if (value instanceof MemoryRecords records) {
                ((ObjectNode) json).set(name, new BinaryNode(toArray(records.buffer())));
            } else if (value instanceof Message child) {
                putRecords(child, (Schema) field.type, node);
            } else if (elementType(field) instanceof Schema elementSchema) {
                int i = 0;
                for (Object element : (Collection<?>) value) {
                    putRecords((Message) element, elementSchema, node.get(i++));
                }
            }
        }
    }

    private Object chooseValue(Type type, Method setter, Object before, int depth)
            throws ReflectiveOperationException {
        if (type.isNullable() && !isRefusedNull(setter, null) && shape.makesNull(type.isArray())) {
            return null;
        }
        Class<?> javaType = setter.getParameterTypes()[0];
        if (type instanceof Schema schema) {
            return before == null && !shape.setsScalars() ? null : struct(javaType, schema, depth);
        }
        if (type.isArray()) {
            return array(type, setter, before, depth);
        }
        if (!shape.setsScalars() || shape.keepsDefault()) {
            return isRefusedNull(setter, before) ? MemoryRecords.EMPTY : before;
        }
        Object value = scalar(type, javaType, setter.toString());
        while (shape.mustDifferFromDefault() && value.equals(before)) {
            value = scalar(type, javaType, setter.toString());
        }
        return value;
    }

    /**
     * Kafka's record type always says that it is nullable and starts as null, but the records of a
     * share fetch are not: its writer fails on null.
     */
    private static boolean isRefusedNull(Method setter, Object value) {
        return value == null
            && setter.getDeclaringClass() == ShareFetchResponseData.PartitionData.class
            && setter.getName().equals("setRecords");
    }

    private Object array(Type type, Method setter, Object before, int depth)
            throws ReflectiveOperationException {
        Type elementType = type.arrayElementType().orElseThrow();
        boolean structs = elementType instanceof Schema;
        int length = structs ? shape.structArrayLength(depth) : shape.scalarArrayLength();
        if (length < 0) {
            return before;
        }
        Class<?> javaType = setter.getParameterTypes()[0];
        Class<?> javaElement = elementClass(setter);
        Collection<Object> values = javaType == List.class
            ? new ArrayList<>()
            : asCollection(javaType.getConstructor().newInstance());
        for (int i = 0; i < length; i++) {
            values.add(structs
                ? struct(javaElement, (Schema) elementType, depth + 1)
                : scalar(elementType, javaElement, setter.toString()));
        }
        return values;
    }

    private Object struct(Class<?> javaType, Schema schema, int depth)
            throws ReflectiveOperationException {
        Message child = newInstance(javaType);
        fill(child, schema, depth);
        return child;
    }

    private Object scalar(Type type, Class<?> javaType, String field) {
        return switch (baseName(type)) {
            case "BOOLEAN" -> shape.bool();
            case "INT8" -> (byte) shape.integer(Byte.MIN_VALUE, Byte.MAX_VALUE);
            case "INT16" -> (short) shape.integer(Short.MIN_VALUE, Short.MAX_VALUE);
            case "UINT16" -> (int) shape.integer(0, 0xffff);
            case "INT32" -> (int) shape.integer(Integer.MIN_VALUE, Integer.MAX_VALUE);
            case "INT64" -> shape.integer(Long.MIN_VALUE, Long.MAX_VALUE);
            case "FLOAT64" -> shape.float64();
            case "UUID" -> shape.uuid();
            case "STRING" -> shape.string(field);
            case "RECORDS" -> shape.records(field);
            case "BYTES" -> javaType == byte[].class
                ? shape.bytes(field)
                : ByteBuffer.wrap(shape.bytes(field));
            default -> throw new IllegalArgumentException(field + ": type " + type);
        };
    }

    private static String baseName(Type type) {
        return type.toString().replace("COMPACT_", "").replace("NULLABLE_", "");
    }

    /** The lowest free number, one above the known ones, and the highest that Kafka can write. */
    private void addUnknownTags(Message message) throws ReflectiveOperationException {
        TreeSet<Integer> known = knownTags(message.getClass());
        int lowest = 0;
        while (known.contains(lowest)) {
            lowest++;
        }
        List<byte[]> payloads = shape.unknownTagPayloads();
        List<RawTaggedField> unknown = message.unknownTaggedFields();
        unknown.add(new RawTaggedField(lowest, payloads.get(1)));
        unknown.add(new RawTaggedField(1000, payloads.get(0)));
        unknown.add(new RawTaggedField(Integer.MAX_VALUE - 1, payloads.get(2)));
    }

    /** The tags of every version: one known elsewhere is refused by Kafka, not skipped. */
    private static TreeSet<Integer> knownTags(Class<?> message)
            throws ReflectiveOperationException {
        TreeSet<Integer> tags = new TreeSet<>();
        for (Schema schema : (Schema[]) message.getField("SCHEMAS").get(null)) {
            if (schema == null) {
                continue;
            }
            for (BoundField field : schema.fields()) {
                if (field.def.type instanceof TaggedFields tagged) {
                    tags.addAll(tagged.fields().keySet());
                }
            }
        }
        return tags;
    }

    static boolean isFlexible(Schema schema) {
        return Arrays.stream(schema.fields()).anyMatch(f -> f.def.type instanceof TaggedFields);
    }

    /** Plain fields in wire order, then tagged ones in tag order. */
    private static List<Field> fieldsOf(Schema schema) {
        List<Field> fields = new ArrayList<>();
        List<Field> tagged = new ArrayList<>();
        for (BoundField field : schema.fields()) {
            if (field.def.type instanceof TaggedFields section) {
                section.fields().keySet().stream().sorted()
                    .forEach(tag -> tagged.add(section.fields().get(tag)));
            } else {
                fields.add(field.def);
            }
        }
        fields.addAll(tagged);
        return fields;
    }

    private static Type elementType(Field field) {
        return field.type.isArray() ? field.type.arrayElementType().orElseThrow() : null;
    }

    /** Schemas name fields in snake case, classes in camel case: compared without either. */
    private static Method setterOf(Class<?> message, Field field) {
        String wanted = "set" + field.name.replace("_", "");
        for (Method method : message.getMethods()) {
            if (method.getParameterCount() == 1
                && method.getName().toLowerCase(Locale.ROOT).equals(wanted)) {
                return method;
            }
        }
        throw new IllegalArgumentException(message + " has no setter for " + field.name);
    }

    private static String nameOf(Method setter) {
        String name = setter.getName().substring("set".length());
        return Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    private static Method getterOf(Method setter) throws NoSuchMethodException {
        return setter.getDeclaringClass().getMethod(nameOf(setter));
    }

    /** The X of List&lt;X&gt;, or of XCollection, which extends a generic collection of X. */
    private static Class<?> elementClass(Method setter) {
        java.lang.reflect.Type type = setter.getGenericParameterTypes()[0];
        if (type instanceof Class<?> collection) {
            type = collection.getGenericSuperclass();
        }
        return (Class<?>) ((ParameterizedType) type).getActualTypeArguments()[0];
    }

    @SuppressWarnings("unchecked")
    private static Collection<Object> asCollection(Object collection) {
        return (Collection<Object>) collection;
    }

    private static Message newInstance(Class<?> type) throws ReflectiveOperationException {
        return (Message) type.getConstructor().newInstance();
    }

    private static byte[] toArray(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }
}
