import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Prints every broker, topic and group property of Apache Kafka as one tab-separated line. No
 * texts, only facts.
 */
public final class ConfigDefinitions {
    public static void main(String[] args) {
        System.out.println(
                "# set\tname\ttype\tdefault\tvalid\timportance\tinternal\tmode\tsynonyms");
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        for (ConfigDef.ConfigKey key : sorted(kafka.server.KafkaConfig.configDef())) {
            print("broker", key, modes.getOrDefault(key.name, "read-only"), "");
        }
        for (ConfigDef.ConfigKey key : sorted(LogConfig.configDefCopy())) {
            print("topic", key, "per-topic", topicSynonyms(key.name));
        }
        for (ConfigDef.ConfigKey key : sorted(GroupConfig.CONFIG_DEF)) {
            Optional<String> synonym =
                    GroupConfig.ALL_GROUP_CONFIG_SYNONYMS.getOrDefault(key.name, Optional.empty());
            print("group", key, "per-group", synonym.map(name -> name + "*1").orElse(""));
        }
    }

    private static Iterable<ConfigDef.ConfigKey> sorted(ConfigDef definitions) {
        return new TreeMap<>(definitions.configKeys()).values();
    }

    private static void print(String set, ConfigDef.ConfigKey key, String mode, String synonyms) {
        System.out.println(String.join("\t", set, key.name, key.type.name(), defaultOf(key),
                validOf(key), key.importance.name(), Boolean.toString(key.internalConfig), mode,
                synonyms));
    }

    private static String defaultOf(ConfigDef.ConfigKey key) {
        if (!key.hasDefault())
            return "<required>";
        if (key.defaultValue == null)
            return "<null>";
        return ConfigDef.convertToString(key.defaultValue, key.type);
    }

    /**
     * What the validator prints; for lists also whether it takes an empty list and repeated
     * elements.
     */
    private static String validOf(ConfigDef.ConfigKey key) {
        List<String> parts = new ArrayList<>();
        if (key.validator != null && !key.validator.toString().isEmpty())
            parts.add(key.validator.toString());
        if (key.type == ConfigDef.Type.LIST && key.validator != null) {
            String element = key.validator.toString().replaceAll("^\\[([^,\\]]*).*", "$1");
            if (element.isEmpty())
                element = "a";
            parts.add(accepts(key, List.of()) ? "empty" : "not empty");
            if (accepts(key, List.of(element))) {
                parts.add(accepts(key, List.of(element, element)) ? "repeated" : "unique");
            }
        }
        return String.join("; ", parts);
    }

    private static boolean accepts(ConfigDef.ConfigKey key, Object value) {
        try {
            key.validator.ensureValid(key.name, value);
            return true;
        } catch (ConfigException refused) {
            return false;
        }
    }

    /**
     * Server properties that give a topic property its default, strongest first, each with the
     * factor of its unit.
     */
    private static String topicSynonyms(String name) {
        List<String> texts = new ArrayList<>();
        for (ConfigSynonym synonym :
                ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.getOrDefault(name, List.of())) {
            String one = synonym.converter().apply("1");
            texts.add(synonym.name() + "*" + one);
        }
        return String.join(",", texts);
    }
}
