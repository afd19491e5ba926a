// One peer of benchmarks/bench_gossip.py: publishes what it is given, notes when messages came.

import { createHash } from 'node:crypto'
import { multiaddr } from '@multiformats/multiaddr'
import { TopicValidatorResult } from '@libp2p/gossipsub'
import { newHost, say, serveCommands } from './host.js'
import { messageId, opened } from './record.js'

// With a task each record is verified before it is passed on, as a client must; without one none is.
const [topic, task] = process.argv.slice(2)
const named = task && { msgIdFn: messageId }
const host = await newHost(undefined, { D: 6, Dlo: 4, Dhi: 12, heartbeatInterval: 1000, ...named })
const pubsub = host.services.pubsub
let sent = {}
let got = {}

const now = () => (performance.timeOrigin + performance.now()) / 1000
const name = (data) => createHash('sha256').update(data).digest('hex').slice(0, 16)

async function judge (peer, message) {
  try {
    const { author, key, type, canonical, record } = await opened(message.data)
    const ours = type === '/research-swarm/record' && record.topic === topic && record.task === task
    if (ours && canonical && author === key) return TopicValidatorResult.Accept
  } catch {}
  return TopicValidatorResult.Reject
}

if (task) pubsub.topicValidators.set(topic, judge)
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
  async publish ({ messages, start_s: start, interval_s: interval }) {
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
