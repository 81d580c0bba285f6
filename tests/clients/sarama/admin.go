package main

import (
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

func check(holds bool, what string, found any) {
	if !holds {
		log.Fatalf("%s: found %v", what, found)
	}
}

func until(what string, holds func() bool) {
	for end := time.Now().Add(patience); !holds(); time.Sleep(100 * time.Millisecond) {
		check(time.Now().Before(end), "waited in vain", what)
	}
}

func administer(bootstrap, topic, group string) {
	admin, err := sarama.NewClusterAdmin(strings.Split(bootstrap, ","), settings())
	must(err)
	administerTopics(admin, topic)
	administerConfigs(admin, topic)
	administerRecords(admin, bootstrap, topic)
	administerGroups(admin, bootstrap, topic, group)
	administerCluster(admin, topic)
	must(admin.DeleteTopic(topic))
	until("the topic to be gone", func() bool {
		found, err := admin.ListTopics()
		must(err)
		_, stays := found[topic]
		return !stays
	})
	fmt.Println("ok deletion")
	must(admin.Close())
}

func administerTopics(admin sarama.ClusterAdmin, topic string) {
	wanted := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}
	must(admin.CreateTopic(topic, wanted, false))
	err := admin.CreateTopic(topic, wanted, false)
	check(errors.Is(err, sarama.ErrTopicAlreadyExists), "a second topic", err)
	has := func(partitions int) func() bool {
		return func() bool {
			found, err := admin.DescribeTopics([]string{topic})
			must(err)
			return len(found[0].Partitions) == partitions
		}
	}
	until("two partitions", has(2))
	must(admin.CreatePartitions(topic, 3, nil, false))
	until("three partitions", has(3))
	fmt.Println("ok topics")
}

func administerConfigs(admin sarama.ClusterAdmin, topic string) {
	set := func(value string) {
		change := sarama.IncrementalAlterConfigsEntry{
			Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value,
		}
		must(admin.IncrementalAlterConfig(sarama.TopicResource, topic,
			map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": change}, false))
	}
	is := func(value string) func() bool {
		return func() bool {
			resource := sarama.ConfigResource{
				Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"},
			}
			found, err := admin.DescribeConfig(resource)
			must(err)
			return len(found) == 1 && found[0].Value == value
		}
	}
	set("7200000")
	until("the setting", is("7200000"))
	fmt.Println("ok configs")
}

func administerRecords(admin sarama.ClusterAdmin, bootstrap, topic string) {
	config := settings()
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	producer, err := sarama.NewSyncProducer(strings.Split(bootstrap, ","), config)
	must(err)
	for range 50 {
		_, _, err := producer.SendMessage(
			&sarama.ProducerMessage{Topic: topic, Partition: 0, Value: sarama.StringEncoder("v")})
		must(err)
	}
	must(producer.Close())
	must(admin.DeleteRecords(topic, map[int32]int64{0: 20}))
	client, err := sarama.NewClient(strings.Split(bootstrap, ","), config)
	must(err)
	first, err := client.GetOffset(topic, 0, sarama.OffsetOldest)
	must(err)
	end, err := client.GetOffset(topic, 0, sarama.OffsetNewest)
	must(err)
	check(first == 20 && end == 50, "offsets", []int64{first, end})
	must(client.Close())
	fmt.Println("ok records")
}

func administerGroups(admin sarama.ClusterAdmin, bootstrap, topic, group string) {
	commit(admin, bootstrap, topic, group, 30)
	found, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	must(err)
	check(found.GetBlock(topic, 0).Offset == 30, "the committed offset", found)
	listed, err := admin.ListConsumerGroups()
	must(err)
	_, is := listed[group]
	check(is, "groups", listed)
	described, err := admin.DescribeConsumerGroups([]string{group})
	must(err)
	check(described[0].State == "Empty", "the group's state", described[0])
	must(admin.DeleteConsumerGroupOffset(group, topic, 0))
	commit(admin, bootstrap, topic, group, 30)
	must(admin.DeleteConsumerGroup(group))
	listed, err = admin.ListConsumerGroups()
	must(err)
	_, stays := listed[group]
	check(!stays, "groups after deletion", listed)
	fmt.Println("ok groups")
}

func administerCluster(admin sarama.ClusterAdmin, topic string) {
	brokers, controller, err := admin.DescribeCluster()
	must(err)
	var ids []int32
	for _, broker := range brokers {
		ids = append(ids, broker.ID())
	}
	folders, err := admin.DescribeLogDirs([]int32{controller})
	must(err)
	check(len(ids) > 0 && len(folders[controller]) > 0, "the log directories", folders)
	has := false
	for _, found := range folders[controller][0].Topics {
		has = has || found.Topic == topic
	}
	check(has, "topics of the log directory", folders)
	fmt.Println("ok cluster")
}
