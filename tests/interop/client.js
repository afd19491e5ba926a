// A foreign client of a swarm, written from docs/protocol.md: it opens what it hears with standard
// libraries, and says records of its own. Driven by tests/interop/test_foreign_client.py.

import { createHash } from 'node:crypto'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey, peerIdFromPublicKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { decode, encode } from '@msgpack/msgpack'
import { multiaddr } from '@multiformats/multiaddr'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { create as multihash } from 'multiformats/hashes/digest'
import { newHost, say, serveCommands, SYNC_PROTOCOL } from './host.js'

const DOMAIN = 'research-swarm-record'
const PAYLOAD_TYPE = new TextEncoder().encode('/research-swarm/record')
const MESSAGEPACK = 0x0201
const SHA2_256 = 0x12

const [topic, task] = process.argv.slice(2)
const privateKey = await generateKeyPair('Ed25519')
const author = peerIdFromPrivateKey(privateKey).toString()
const host = await newHost(privateKey, { msgIdFn: (message) => new TextEncoder().encode(idOf(payloadOf(message.data))) })
const pubsub = host.services.pubsub
const heard = []

function idOf (payload) {
  const digest = multihash(SHA2_256, createHash('sha256').update(payload).digest())
  return CID.createV1(MESSAGEPACK, digest).toString(base32)
}

// The payload field of a protobuf, unverified: what names a message in GossipSub.
function payloadOf (envelope) {
  let at = 0
  const varint = () => {
    let number = 0
    for (let shift = 0; ; shift += 7) {
      const byte = envelope[at++]
      number |= (byte & 0x7f) << shift
      if (byte < 0x80) return number
    }
  }
  while (at < envelope.length) {
    const tag = varint()
    const size = varint()
    if (tag >> 3 === 3) return envelope.subarray(at, at + size)
    at += size
  }
  return envelope
}

// Canonical: maps with ascending keys, shortest numbers. All that a record needs.
const pack = (value) => encode(value, { sortKeys: true })
const unpack = (data) => decode(data, { useBigInt64: false })

async function opened (data) {
  const envelope = await RecordEnvelope.openAndCertify(data, DOMAIN)
  const record = unpack(envelope.payload)
  const key = peerIdFromPublicKey(envelope.publicKey).toString()
  const type = Buffer.from(envelope.payloadType).toString()
  const canonical = Buffer.compare(pack(record), envelope.payload) === 0
  return { id: idOf(envelope.payload), author: record.author, key, type, canonical, record: plain(record) }
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
    heard.push(await opened(event.detail.data))
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
    return await opened(Buffer.from(envelope, 'hex'))
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
    for (const envelope of envelopes) records.push(await opened(envelope))
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
