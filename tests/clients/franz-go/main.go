// Command franz-go does what tests/clients/common asks of a client.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const patience = 3 * time.Minute

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

var strategies = map[string]kgo.GroupBalancer{
	"range":              kgo.RangeBalancer(),
	"roundrobin":         kgo.RoundRobinBalancer(),
	"sticky":             kgo.StickyBalancer(),
	"cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func connect(bootstrap string, options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.DialTimeout(patience), kgo.RequestTimeoutOverhead(patience),
		kgo.RetryTimeout(patience))...)
	must(err)
	return client
}

func produce(bootstrap, topic, codec string, count int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := connect(bootstrap, kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(codecs[codec]))
	defer client.Close()
	for i := range count {
		record := kgo.KeyStringRecord(fmt.Sprintf("key-%d", i%17), fmt.Sprintf("%s-%d", codec, i))
		client.Produce(ctx, record, func(_ *kgo.Record, err error) { must(err) })
	}
	must(client.Flush(ctx))
}

// owned is what the member was assigned, printed whenever it changes.
type owned struct {
	mutex      sync.Mutex
	partitions map[int32]bool
}

func (o *owned) change(topics map[string][]int32, has bool) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for _, partitions := range topics {
		for _, partition := range partitions {
			if has {
				o.partitions[partition] = true
			} else {
				delete(o.partitions, partition)
			}
		}
	}
	var words []string
	for _, partition := range slices.Sorted(maps.Keys(o.partitions)) {
		words = append(words, strconv.Itoa(int(partition)))
	}
	fmt.Println("assigned " + strings.Join(words, ","))
}

func member(bootstrap, group, topic, strategy, instance string, session time.Duration) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	mine := &owned{partitions: map[int32]bool{}}
	lose := func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		mine.change(topics, false)
	}
	options := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(strategies[strategy]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(500 * time.Millisecond), kgo.SessionTimeout(session),
		kgo.MetadataMaxAge(time.Second), kgo.MetadataMinAge(500 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
			mine.change(topics, true)
		}),
		kgo.OnPartitionsRevoked(lose), kgo.OnPartitionsLost(lose),
	}
	if instance != "" {
		options = append(options, kgo.InstanceID(instance))
	}
	client := connect(bootstrap, options...)
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) {
			if !errors.Is(err, context.Canceled) {
				log.Print(err)
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			fmt.Println("record", record.Partition, record.Offset, string(record.Value))
		})
		if fetches.NumRecords() > 0 {
			// A rebalance may end a commit; the next owner reads those records again.
			err := client.CommitUncommittedOffsets(context.Background())
			if err != nil && !errors.Is(err, kerr.RebalanceInProgress) {
				log.Print(err)
			}
		}
	}
	client.Close()
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
		session := time.Duration(number(words[5])) * time.Millisecond
		member(words[0], words[1], words[2], words[3], words[4], session)
	case "admin":
		administer(words[0], words[1], words[2])
	case "write":
		write(words[0], words[1], words[2])
	case "read":
		read(words[0], words[1], words[2], words[3:])
	default:
		log.Fatalf("%s is not understood", os.Args[1])
	}
}
