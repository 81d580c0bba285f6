// What tests/clients/common asks of a client, with kafkajs.
'use strict'

const assert = require('node:assert')
const {
  CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel,
} = require('kafkajs')
const lz4 = require('lz4-napi')
const { ZstdCodec } = require('zstd-codec')

const PATIENCE_MS = 180_000
const REBALANCE_MS = 60_000
const RETRY = { initialRetryTime: 200, maxRetryTime: 2000, retries: PATIENCE_MS / 2000 }
const WITH_PATIENCE = { timeout: PATIENCE_MS }

const types = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

// libzstd compiled to WebAssembly: the usual plugin needs a native module that newer compilers
// refuse.
function zstdPlugin () {
  const withZstd = work => new Promise(resolve => {
    ZstdCodec.run(zstd => resolve(Buffer.from(work(new zstd.Simple()))))
  })
  return {
    compress: encoder => withZstd(zstd => zstd.compress(encoder.buffer, 3)),
    decompress: buffer => withZstd(zstd => zstd.decompress(buffer)),
  }
}

// The usual plugin has a native part that it compiles; this package has it for each system ready.
const lz4Plugin = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer),
})

// gzip is built in; the others are packages of their own.
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = lz4Plugin
CompressionCodecs[CompressionTypes.ZSTD] = zstdPlugin

const connection = bootstrap => new Kafka({
  brokers: bootstrap.split(','),
  clientId: 'tests',
  connectionTimeout: PATIENCE_MS,
  requestTimeout: PATIENCE_MS,
  retry: RETRY,
  logLevel: logLevel.ERROR,
  logCreator: () => ({ log }) => console.error(log.message, log.error ?? ''),
})

async function produce (bootstrap, topic, codec, count) {
  const producer = connection(bootstrap).producer({ idempotent: codec === 'gzip' })
  await producer.connect()
  const messages = [...Array(Number(count)).keys()]
    .map(i => ({ key: `key-${i % 17}`, value: `${codec}-${i}` }))
  for (let first = 0; first < messages.length; first += 100) {
    await producer.send({
      topic, compression: types[codec], messages: messages.slice(first, first + 100),
      ...WITH_PATIENCE,
    })
  }
  await producer.disconnect()
}

async function member (bootstrap, groupId, topic, strategy, instance, session) {
  assert.strictEqual(strategy, 'roundrobin')
  assert.strictEqual(instance, '', 'kafkajs knows no static members')
  const consumer = connection(bootstrap).consumer({
    groupId, sessionTimeout: Number(session), heartbeatInterval: 500,
    rebalanceTimeout: REBALANCE_MS, retry: RETRY,
    metadataMaxAge: 1000, maxWaitTimeInMs: 300,
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    console.log(`assigned ${(payload.memberAssignment[topic] ?? []).join(',')}`)
  })
  consumer.on(consumer.events.REBALANCING, () => console.log('assigned '))
  process.once('SIGTERM', async () => {
    await consumer.disconnect()
    console.log('stopped')
    process.exit(0)
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
      for (const message of batch.messages) {
        if (!isRunning() || isStale()) {
          break
        }
        console.log(`record ${batch.partition} ${message.offset} ${message.value}`)
        resolveOffset(message.offset)
      }
      await heartbeat()
    },
  })
}

async function until (holds) {
  const end = Date.now() + PATIENCE_MS
  while (!await holds()) {
    assert(Date.now() < end, `waited in vain for ${holds}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

async function administerTopics (admin, topic) {
  const topics = [{ topic, numPartitions: 2, replicationFactor: 1 }]
  const wanted = { topics, ...WITH_PATIENCE }
  assert.strictEqual(await admin.createTopics(wanted), true)
  assert.strictEqual(await admin.createTopics(wanted), false)
  const partitions = async () =>
    (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length
  await until(async () => await partitions() === 2)
  await admin.createPartitions({
    topicPartitions: [{ topic, count: 3 }], ...WITH_PATIENCE,
  })
  await until(async () => await partitions() === 3)
  console.log('ok topics')
}

async function administerConfigs (admin, topic) {
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const configEntries = [{ name: 'retention.ms', value: '7200000' }]
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
  await until(async () => {
    const found = await admin.describeConfigs({ includeSynonyms: true, resources: [resource] })
    const entry = found.resources[0].configEntries.find(each => each.configName === 'retention.ms')
    return entry.configValue === '7200000'
  })
  console.log('ok configs')
}

async function administerRecords (admin, bootstrap, topic) {
  const producer = connection(bootstrap).producer()
  await producer.connect()
  const messages = [...Array(50)].map(() => ({ value: 'value', partition: 0 }))
  await producer.send({ topic, messages, ...WITH_PATIENCE })
  await producer.disconnect()
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '20' }] })
  const offsets = (await admin.fetchTopicOffsets(topic)).find(each => each.partition === 0)
  assert.deepStrictEqual([offsets.low, offsets.high], ['20', '50'])
  const byTime = await admin.fetchTopicOffsetsByTimestamp(topic, 1000)
  assert.strictEqual(byTime.find(each => each.partition === 0).offset, '20')
  console.log('ok records')
}

async function administerGroups (admin, topic, groupId) {
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '30' }] })
  const found = await admin.fetchOffsets({ groupId, topics: [topic] })
  assert.strictEqual(found[0].partitions.find(each => each.partition === 0).offset, '30')
  assert((await admin.listGroups()).groups.some(each => each.groupId === groupId))
  assert.strictEqual((await admin.describeGroups([groupId])).groups[0].state, 'Empty')
  await admin.deleteGroups([groupId])
  assert(!(await admin.listGroups()).groups.some(each => each.groupId === groupId))
  console.log('ok groups')
}

async function administer (bootstrap, topic, groupId) {
  const admin = connection(bootstrap).admin()
  await admin.connect()
  await administerTopics(admin, topic)
  await administerConfigs(admin, topic)
  await administerRecords(admin, bootstrap, topic)
  await administerGroups(admin, topic, groupId)
  const cluster = await admin.describeCluster()
  assert(cluster.brokers.some(broker => broker.nodeId === cluster.controller))
  console.log('ok cluster')
  await admin.deleteTopics({ topics: [topic], ...WITH_PATIENCE })
  await until(async () => !(await admin.listTopics()).includes(topic))
  console.log('ok deletion')
  await admin.disconnect()
}

const [command, ...words] = process.argv.slice(2)
const commands = { produce, member, admin: administer }
commands[command](...words).catch(error => {
  console.error(error)
  process.exit(1)
})
