// Records as docs/protocol.md has them: their ids, their bytes, and what to check of an envelope.

import { createHash } from 'node:crypto'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { decode, encode } from '@msgpack/msgpack'
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { create as multihash } from 'multiformats/hashes/digest'

export const DOMAIN = 'research-swarm-record'
export const PAYLOAD_TYPE = new TextEncoder().encode('/research-swarm/record')
const MESSAGEPACK = 0x0201
const SHA2_256 = 0x12

export function idOf (payload) {
  const digest = multihash(SHA2_256, createHash('sha256').update(payload).digest())
  return CID.createV1(MESSAGEPACK, digest).toString(base32)
}

// The GossipSub id of a message: that of the record in it.
export function messageId (message) {
  return new TextEncoder().encode(idOf(payloadOf(message.data)))
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
export const pack = (value) => encode(value, { sortKeys: true })
export const unpack = (data) => decode(data, { useBigInt64: false })

export async function opened (data) {
  const envelope = await RecordEnvelope.openAndCertify(data, DOMAIN)
  const record = unpack(envelope.payload)
  const key = peerIdFromPublicKey(envelope.publicKey).toString()
  const type = Buffer.from(envelope.payloadType).toString()
  const canonical = Buffer.compare(pack(record), envelope.payload) === 0
  return { id: idOf(envelope.payload), author: record.author, key, type, canonical, record }
}
