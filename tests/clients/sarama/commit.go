//go:build go1.26

package main

import "github.com/IBM/sarama"

// commit sets the group's offset of partition 0 by an administrative call.
func commit(admin sarama.ClusterAdmin, _, topic, group string, offset int64) {
	offsets := map[string]map[int32]sarama.OffsetAndMetadata{topic: {0: {Offset: offset}}}
	answer, err := admin.AlterConsumerGroupOffsets(group, offsets, nil)
	must(err)
	check(answer.Errors[topic][0] == sarama.ErrNoError, "the commit", answer.Errors)
}
