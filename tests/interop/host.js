// A js-libp2p host as a peer of a swarm: TCP, noise, yamux, GossipSub 1.1, strict signing.

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'

// Node 20 has no Promise.withResolvers, which @libp2p/utils needs.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new Promise((yes, no) => { resolve = yes; reject = no })
  return { promise, resolve, reject }
}

export const SYNC_PROTOCOL = '/research-swarm/sync/1.0.0'

export async function newHost (privateKey, pubsubOptions = {}) {
  return await createLibp2p({
    ...(privateKey && { privateKey }),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({
        allowPublishToZeroTopicPeers: true,
        globalSignaturePolicy: 'StrictSign',
        ...pubsubOptions
      })
    }
  })
}

// Lines of JSON on standard input, one command each; answers are lines of JSON on standard output.
export async function serveCommands (commands) {
  const { createInterface } = await import('node:readline')
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...args } = JSON.parse(line)
    say(await commands[name](args))
  }
  process.exit(0)
}

export function say (value) {
  process.stdout.write(JSON.stringify(value) + '\n')
}
