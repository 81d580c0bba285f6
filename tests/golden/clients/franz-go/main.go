// Command franz-go produces the workload with franz-go, into a topic named after the codec.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const flushEvery = 100

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func bytesOf(text string) []byte {
	if text == "null" {
		return nil
	}
	data, err := hex.DecodeString(text)
	if err != nil {
		log.Fatal(err)
	}
	return data
}

func recordOf(line string) *kgo.Record {
	columns := strings.Split(line, "\t")
	millis, err := strconv.ParseInt(columns[0], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	record := &kgo.Record{
		Timestamp: time.UnixMilli(millis),
		Key:       bytesOf(columns[1]),
		Value:     bytesOf(columns[2]),
	}
	for _, header := range strings.Split(columns[3], ",") {
		if name, value, found := strings.Cut(header, ":"); found {
			record.Headers = append(record.Headers,
				kgo.RecordHeader{Key: string(bytesOf(name)), Value: bytesOf(value)})
		}
	}
	return record
}

func main() {
	bootstrap, workload, codec := os.Args[1], os.Args[2], os.Args[3]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.DefaultProduceTopic("franz-go-"+codec),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerLinger(time.Second),
		kgo.AllowAutoTopicCreation(),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	file, err := os.Open(workload)
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		client.Produce(ctx, recordOf(lines.Text()), func(_ *kgo.Record, err error) {
			if err != nil {
				log.Fatal(err)
			}
		})
		if number%flushEvery == 0 {
			if err := client.Flush(ctx); err != nil {
				log.Fatal(err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	if err := client.Flush(ctx); err != nil {
		log.Fatal(err)
	}
}
