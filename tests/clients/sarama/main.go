// Command sarama does what tests/clients/common asks of a client.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

const patience = 3 * time.Minute

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

var strategies = map[string]func() sarama.BalanceStrategy{
	"range":      sarama.NewBalanceStrategyRange,
	"roundrobin": sarama.NewBalanceStrategyRoundRobin,
	"sticky":     sarama.NewBalanceStrategySticky,
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Admin.Timeout = patience
	config.Net.DialTimeout = patience
	config.Net.ReadTimeout = patience
	config.Net.WriteTimeout = patience
	config.Producer.Timeout = patience
	// What is tried again is tried for that long.
	config.Admin.Retry.Max = int(patience / config.Admin.Retry.Backoff)
	config.Metadata.Retry.Max = int(patience / config.Metadata.Retry.Backoff)
	config.Producer.Retry.Max = int(patience / config.Producer.Retry.Backoff)
	config.Consumer.Retry.Backoff = 250 * time.Millisecond
	config.Consumer.Offsets.Retry.Max = int(patience / config.Consumer.Retry.Backoff)
	config.Consumer.Group.Rebalance.Retry.Backoff = 250 * time.Millisecond
	config.Consumer.Group.Rebalance.Retry.Max =
		int(patience / config.Consumer.Group.Rebalance.Retry.Backoff)
	return config
}

func produce(bootstrap, topic, codec string, count int) {
	config := settings()
	config.Producer.Compression = codecs[codec]
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(strings.Split(bootstrap, ","), config)
	must(err)
	var messages []*sarama.ProducerMessage
	for i := range count {
		messages = append(messages, &sarama.ProducerMessage{
			Topic: topic,
			Key:   sarama.StringEncoder(fmt.Sprintf("key-%d", i%17)),
			Value: sarama.StringEncoder(fmt.Sprintf("%s-%d", codec, i)),
		})
	}
	must(producer.SendMessages(messages))
	must(producer.Close())
}

// member prints what it owns and reads.
type member struct{}

func (member) Setup(session sarama.ConsumerGroupSession) error {
	var words []string
	for _, partitions := range session.Claims() {
		for _, partition := range partitions {
			words = append(words, strconv.Itoa(int(partition)))
		}
	}
	fmt.Println("assigned " + strings.Join(words, ","))
	return nil
}

func (member) Cleanup(sarama.ConsumerGroupSession) error {
	fmt.Println("assigned ")
	return nil
}

func (member) ConsumeClaim(
	session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim,
) error {
	for message := range claim.Messages() {
		// One print, as claims run side by side.
		fmt.Printf("record %d %d %s\n", message.Partition, message.Offset, message.Value)
		session.MarkMessage(message, "")
	}
	return nil
}

func join(bootstrap, group, topic, strategy, instance string, session time.Duration) {
	config := settings()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	config.Consumer.Group.Session.Timeout = session
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	config.Consumer.Group.Rebalance.GroupStrategies =
		[]sarama.BalanceStrategy{strategies[strategy]()}
	config.Metadata.RefreshFrequency = time.Second
	if instance != "" {
		config.Consumer.Group.InstanceId = instance
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	consumer, err := sarama.NewConsumerGroup(strings.Split(bootstrap, ","), group, config)
	must(err)
	for ctx.Err() == nil {
		err := consumer.Consume(ctx, []string{topic}, member{})
		if err != nil && !errors.Is(err, context.Canceled) {
			log.Print(err)
		}
	}
	must(consumer.Close())
	fmt.Println("stopped")
}

func main() {
	words := os.Args[2:]
	switch os.Args[1] {
	case "produce":
		count, err := strconv.Atoi(words[3])
		must(err)
		produce(words[0], words[1], words[2], count)
	case "member":
		session, err := time.ParseDuration(words[5] + "ms")
		must(err)
		join(words[0], words[1], words[2], words[3], words[4], session)
	case "admin":
		administer(words[0], words[1], words[2])
	default:
		log.Fatalf("%s is not understood", os.Args[1])
	}
}
