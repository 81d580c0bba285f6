//go:build !go1.26

package main

import (
	"strings"

	"github.com/IBM/sarama"
)

// commit sets the group's offset of partition 0. The sarama of older compilers has no administrative
// call for that.
func commit(_ sarama.ClusterAdmin, bootstrap, topic, group string, offset int64) {
	config := settings()
	config.Consumer.Return.Errors = true
	client, err := sarama.NewClient(strings.Split(bootstrap, ","), config)
	must(err)
	manager, err := sarama.NewOffsetManagerFromClient(group, client)
	must(err)
	partition, err := manager.ManagePartition(topic, 0)
	must(err)
	partition.MarkOffset(offset, "")
	manager.Commit()
	must(partition.Close())
	must(manager.Close())
	must(client.Close())
}
