// One peer of benchmarks/bench_gossip.py: publishes what it is given, notes when messages came.

import { createHash } from 'node:crypto'
import { multiaddr } from '@multiformats/multiaddr'
import { newHost, say, serveCommands } from './host.js'

const topic = process.argv[2]
const host = await newHost(undefined, { D: 6, Dlo: 4, Dhi: 12, heartbeatInterval: 1000 })
const pubsub = host.services.pubsub
let sent = {}
let got = {}

const now = () => (performance.timeOrigin + performance.now()) / 1000
const name = (data) => createHash('sha256').update(data).digest('hex').slice(0, 16)

pubsub.addEventListener('message', (event) => {
  if (event.detail.topic === topic) got[name(event.detail.data)] ??= now()
})
pubsub.subscribe(topic)
say({ addr: host.getMultiaddrs()[0].toString() })

await serveCommands({
  async dial ({ addrs }) {
    for (const addr of addrs) await host.dial(multiaddr(addr))
    return { peers: host.getPeers().length }
  },
  async peers () {
    return { peers: pubsub.getSubscribers(topic).length }
  },
  async publish ({ messages, interval_s: interval }) {
    const start = now()
    for (const [at, message] of messages.entries()) {
      const wait = start + at * interval - now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait * 1000))
      const data = Buffer.from(message, 'base64')
      sent[name(data)] = now()
      await pubsub.publish(topic, data)
    }
    return { published: messages.length }
  },
  async report () {
    const report = { sent, got }
    sent = {}
    got = {}
    return report
  }
})
