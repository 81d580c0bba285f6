// Produces the workload with kafkajs, into a topic named after the codec.
'use strict'

const fs = require('fs')
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs')

const BATCH = 100

const types = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

// gzip is built in; the others are loaded when asked for, as not each of them installs everywhere.
const plugins = {
  none: () => undefined,
  gzip: () => undefined,
  snappy: () => require('kafkajs-snappy'),
  lz4: () => new (require('kafkajs-lz4'))().codec,
  zstd: () => zstdPlugin,
}

// The usual plugin (@kafkajs/zstd) needs a native module that newer compilers refuse; this one is
// libzstd compiled to WebAssembly.
function zstdPlugin () {
  return {
    compress: encoder => new Promise(resolve => {
      require('zstd-codec').ZstdCodec.run(zstd =>
        resolve(Buffer.from(new zstd.Simple().compress(encoder.buffer, 3))))
    }),
    decompress: () => { throw new Error('not needed to produce') },
  }
}

const bytesOf = text => text === 'null' ? null : Buffer.from(text, 'hex')

function messageOf (line) {
  const [timestamp, key, value, headers] = line.split('\t')
  const message = { timestamp, key: bytesOf(key), value: bytesOf(value), partition: 0, headers: {} }
  for (const header of headers.split(',').filter(h => h !== '')) {
    const [name, data] = header.split(':')
    const text = bytesOf(name).toString()
    const before = message.headers[text]
    // kafkajs cannot write a null header value: an empty one takes its place.
    const bytes = bytesOf(data) ?? Buffer.alloc(0)
    message.headers[text] = before === undefined ? bytes : [before, bytes]
  }
  return message
}

async function main (bootstrap, workload, codec) {
  const plugin = plugins[codec]()
  if (plugin !== undefined) {
    CompressionCodecs[types[codec]] = plugin
  }
  const kafka = new Kafka({ brokers: [bootstrap], clientId: 'golden', logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ allowAutoTopicCreation: true })
  await producer.connect()
  const lines = fs.readFileSync(workload, 'ascii').replace(/\n$/, '').split('\n')
  for (let first = 0; first < lines.length; first += BATCH) {
    await producer.send({
      topic: `kafkajs-${codec}`,
      compression: types[codec],
      messages: lines.slice(first, first + BATCH).map(messageOf),
    })
  }
  await producer.disconnect()
}

main(...process.argv.slice(2)).catch(error => {
  console.error(`kafkajs: ${error.message}`)
  process.exit(1)
})
