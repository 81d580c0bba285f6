package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func check(holds bool, what string, found any) {
	if !holds {
		log.Fatalf("%s: found %v", what, found)
	}
}

func until(ctx context.Context, what string, holds func() bool) {
	for !holds() {
		if ctx.Err() != nil {
			log.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func administer(bootstrap, topic, group string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := connect(bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer client.Close()
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(int32(patience.Milliseconds()))
	administerTopics(ctx, admin, topic)
	administerConfigs(ctx, admin, topic)
	administerRecords(ctx, admin, client, topic)
	administerGroups(ctx, admin, topic, group)
	administerCluster(ctx, admin, topic)
	deleted, err := admin.DeleteTopics(ctx, topic)
	must(err)
	must(deleted[topic].Err)
	until(ctx, "the topic to be gone", func() bool {
		found, err := admin.ListTopics(ctx)
		must(err)
		return !found.Has(topic)
	})
	fmt.Println("ok deletion")
}

func administerTopics(ctx context.Context, admin *kadm.Client, topic string) {
	_, err := admin.CreateTopic(ctx, 2, 1, nil, topic)
	must(err)
	_, err = admin.CreateTopic(ctx, 2, 1, nil, topic)
	check(errors.Is(err, kerr.TopicAlreadyExists), "a second topic", err)
	has := func(partitions int) func() bool {
		return func() bool {
			found, err := admin.ListTopics(ctx, topic)
			must(err)
			return len(found[topic].Partitions) == partitions
		}
	}
	until(ctx, "two partitions", has(2))
	made, err := admin.UpdatePartitions(ctx, 3, topic)
	must(err)
	must(made[topic].Err)
	until(ctx, "three partitions", has(3))
	fmt.Println("ok topics")
}

func administerConfigs(ctx context.Context, admin *kadm.Client, topic string) {
	wanted := "7200000"
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &wanted}}
	changed, err := admin.AlterTopicConfigs(ctx, change, topic)
	must(err)
	must(changed[0].Err)
	until(ctx, "the setting", func() bool {
		found, err := admin.DescribeTopicConfigs(ctx, topic)
		must(err)
		for _, config := range found[0].Configs {
			if config.Key == "retention.ms" {
				return config.MaybeValue() == wanted
			}
		}
		return false
	})
	fmt.Println("ok configs")
}

func administerRecords(ctx context.Context, admin *kadm.Client, client *kgo.Client, topic string) {
	for range 50 {
		record := &kgo.Record{Topic: topic, Partition: 0, Value: []byte("value")}
		must(client.ProduceSync(ctx, record).FirstErr())
	}
	before := kadm.Offsets{}
	before.AddOffset(topic, 0, 20, -1)
	deleted, err := admin.DeleteRecords(ctx, before)
	must(err)
	must(deleted.Error())
	start, err := admin.ListStartOffsets(ctx, topic)
	must(err)
	end, err := admin.ListEndOffsets(ctx, topic)
	must(err)
	check(start[topic][0].Offset == 20, "the start", start)
	check(end[topic][0].Offset == 50, "the end", end)
	producers, err := admin.DescribeProducers(ctx, before.TopicsSet())
	must(err)
	must(producers[topic].Partitions[0].Err)
	fmt.Println("ok records")
}

func administerGroups(ctx context.Context, admin *kadm.Client, topic, group string) {
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 30, -1)
	must(admin.CommitAllOffsets(ctx, group, offsets))
	found, err := admin.FetchOffsets(ctx, group)
	must(err)
	check(found[topic][0].At == 30, "the committed offset", found)
	listed, err := admin.ListGroups(ctx)
	must(err)
	check(listed[group].State == "Empty", "the group's state", listed)
	described, err := admin.DescribeGroups(ctx, group)
	must(err)
	check(described[group].Err == nil && described[group].State == "Empty", "the group", described)
	lag, err := admin.Lag(ctx, group)
	must(err)
	check(lag[group].Lag[topic][0].Lag == 20, "the lag", lag)
	removed, err := admin.DeleteOffsets(ctx, group, offsets.TopicsSet())
	must(err)
	must(removed.Error())
	must(admin.CommitAllOffsets(ctx, group, offsets))
	deleted, err := admin.DeleteGroups(ctx, group)
	must(err)
	must(deleted[group].Err)
	listed, err = admin.ListGroups(ctx)
	must(err)
	_, stays := listed[group]
	check(!stays, "groups after deletion", listed)
	fmt.Println("ok groups")
}

func administerCluster(ctx context.Context, admin *kadm.Client, topic string) {
	metadata, err := admin.BrokerMetadata(ctx)
	must(err)
	check(len(metadata.Brokers) > 0 && metadata.Cluster != "", "the cluster", metadata)
	folders, err := admin.DescribeAllLogDirs(ctx, nil)
	must(err)
	check(folders[metadata.Brokers[0].NodeID].Size() > 0, "the log directories", folders)
	fmt.Println("ok cluster")
}
