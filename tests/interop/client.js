// A foreign client of a swarm, written from docs/protocol.md: it opens what it hears with standard
// libraries, and says records of its own. Driven by tests/interop/test_foreign_client.py.

import { createHash } from 'node:crypto'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { multiaddr } from '@multiformats/multiaddr'
import { newHost, say, serveCommands, SYNC_PROTOCOL } from './host.js'
import { DOMAIN, idOf, messageId, opened, pack, PAYLOAD_TYPE, unpack } from './record.js'

const [topic, task] = process.argv.slice(2)
const privateKey = await generateKeyPair('Ed25519')
const author = peerIdFromPrivateKey(privateKey).toString()
const host = await newHost(privateKey, { msgIdFn: messageId })
const pubsub = host.services.pubsub
const heard = []

async function shown (data) {
  const { record, ...found } = await opened(data)
  return { ...found, record: plain(record) }
}

function plain (record) {
  return { kind: record.kind, title: record.title, topic: record.topic, task: record.task, pairs: record.pairs }
}

async function sealed (record) {
  const payload = pack(record)
  const sealing = {
    domain: DOMAIN,
    codec: PAYLOAD_TYPE,
    marshal: () => payload
  }
  const envelope = await RecordEnvelope.seal(sealing, privateKey)
  return { id: idOf(payload), envelope: envelope.marshal() }
}

pubsub.addEventListener('message', async (event) => {
  if (event.detail.topic !== topic) return
  try {
    heard.push(await shown(event.detail.data))
  } catch (error) {
    heard.push({ error: String(error) })
  }
})
pubsub.subscribe(topic)
say({ author })

function win () {
  return {
    kind: 'win',
    version: 1,
    author,
    nickname: 'js',
    topic,
    task,
    created_at_ms: Date.now(),
    base: null,
    parents: [],
    diff: '--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-SLOPE = 0.1\n+SLOPE = 1.0\n',
    tree: '0a'.repeat(32),
    title: 'A record made by js-libp2p',
    rationale: '',
    family: 'learning_rate',
    proposer: 'js',
    pairs: [[1, 3653000000, 3020000000], [2, 3660000000, 3010000001]],
    blocks: [],
    environment: {
      hardware_class: 'cpu-laptop',
      device: 'node',
      torch_version: 'none',
      milliseconds: 1,
      peak_memory_bytes: 1,
      isolation: 'none'
    }
  }
}

const TAMPERED = {
  payload: (envelope) => { envelope[envelope.length - 80] ^= 1; return envelope },
  signature: (envelope) => { envelope[envelope.length - 1] ^= 1; return envelope }
}

// One question and one answer on a stream: length in four bytes, big-endian, and then the bytes.
async function ask (peer, question) {
  const stream = await host.dialProtocol(peer, SYNC_PROTOCOL)
  const request = pack(question)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(request.length)
  stream.send(Buffer.concat([length, request]))
  const answer = []
  for await (const chunk of stream) answer.push(Buffer.from(chunk.subarray()))
  return unpack(Buffer.concat(answer).subarray(4))
}

await serveCommands({
  async dial ({ addr }) {
    await host.dial(multiaddr(addr))
    return { peers: host.getPeers().map(String) }
  },
  async meshed () {
    return { subscribers: pubsub.getSubscribers(topic).length }
  },
  async heard () {
    return { heard }
  },
  async publish ({ change = {}, tamper = null }) {
    const { id, envelope } = await sealed({ ...win(), ...change })
    await pubsub.publish(topic, tamper === null ? envelope : TAMPERED[tamper](Uint8Array.from(envelope)))
    return { id }
  },
  async vector ({ envelope }) {
    return await shown(Buffer.from(envelope, 'hex'))
  },
  async sync ({ addr, kind }) {
    const peer = multiaddr(addr)
    const scope = `${topic}#1`
    const end = Buffer.alloc(17, 0xff)
    const ranges = [[Buffer.alloc(0), end]]
    const { parts } = await ask(peer, { ask: 'parts', kind, pieces: 1, ranges, scope })
    const { keys } = await ask(peer, { ask: 'keys', kind, ranges, scope })
    const { considered, envelopes } = await ask(peer, { ask: 'records', keys, kind, scope })
    const records = []
    for (const envelope of envelopes) records.push(await shown(envelope))
    const fingerprint = createHash('sha256').update(keys).digest().subarray(0, 16)
    const wanted = records.map(({ id }) => createHash('sha256').update(id).digest().subarray(0, 16))
    return {
      count: parts[0][1],
      fingerprint_holds: Buffer.compare(fingerprint, parts[0][2]) === 0,
      keys_hold: Buffer.compare(Buffer.concat(wanted), keys) === 0,
      considered,
      records
    }
  }
})
