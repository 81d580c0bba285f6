package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Lines of records grow as large as records do, twice.
const lineBytesMax = 16 << 20

func number(word string) int64 {
	value, err := strconv.ParseInt(word, 10, 64)
	must(err)
	return value
}

func bytesOf(word string) []byte {
	if word == "-" {
		return nil
	}
	bytes, err := hex.DecodeString(word[1:])
	must(err)
	return bytes
}

func wordOf(bytes []byte) string {
	if bytes == nil {
		return "-"
	}
	return "x" + hex.EncodeToString(bytes)
}

func recordOf(line string) *kgo.Record {
	words := strings.Split(line, " ")
	record := &kgo.Record{
		Partition: int32(number(words[0])),
		Timestamp: time.UnixMilli(number(words[1])),
		Key:       bytesOf(words[2]),
		Value:     bytesOf(words[3]),
	}
	if words[4] != "." {
		for _, header := range strings.Split(words[4], ",") {
			name, value, _ := strings.Cut(header, "=")
			record.Headers = append(record.Headers,
				kgo.RecordHeader{Key: string(bytesOf(name)), Value: bytesOf(value)})
		}
	}
	return record
}

// The partition that the line names, or else the one of the key as Kafka's clients choose it.
func partitioner() kgo.Partitioner {
	byKey := kgo.StickyKeyPartitioner(nil)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		inTopic := byKey.ForTopic(topic)
		return func(record *kgo.Record, count int) int {
			if record.Partition >= 0 {
				return int(record.Partition)
			}
			return inTopic.Partition(record, count)
		}
	})
}

func write(bootstrap, topic, codec string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := connect(bootstrap, kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(codecs[codec]), kgo.RecordPartitioner(partitioner()))
	defer client.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		client.Produce(ctx, recordOf(lines.Text()), func(_ *kgo.Record, err error) { must(err) })
	}
	must(lines.Err())
	must(client.Flush(ctx))
}

func read(bootstrap, count, partitions string, topics []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	offsets := map[string]map[int32]kgo.Offset{}
	for _, topic := range topics {
		offsets[topic] = map[int32]kgo.Offset{}
		for partition := range number(partitions) {
			offsets[topic][int32(partition)] = kgo.NewOffset().AtStart()
		}
	}
	client := connect(bootstrap, kgo.ConsumePartitions(offsets))
	defer client.Close()
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	for read := int64(0); read < number(count)*int64(len(topics)); {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) {
			log.Fatalf("after %d records: %v", read, err)
		})
		fetches.EachRecord(func(record *kgo.Record) {
			var headers []string
			for _, header := range record.Headers {
				headers = append(headers, wordOf([]byte(header.Key))+"="+wordOf(header.Value))
			}
			if headers == nil {
				headers = []string{"."}
			}
			fmt.Fprintln(output, record.Topic, record.Partition, record.Offset,
				record.Timestamp.UnixMilli(), wordOf(record.Key), wordOf(record.Value),
				strings.Join(headers, ","))
			read++
		})
	}
}
