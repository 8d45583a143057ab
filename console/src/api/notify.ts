/** Messages to people: how they go, what became of them, and one's own browsers. docs/design/notify.md. */

import { address, json, request } from './client'

export interface Try {
  at: string
  took_ms: number
  outcome: 'sent' | 'again' | 'failed'
  problem: string
}

export interface Delivery {
  channel: string
  target: string
  state: 'waiting' | 'sent' | 'failed' | 'summarised'
  attempts: number
  next: string | null
  ended: string | null
  problem: string
  tries: Try[]
}

export interface Message {
  id: number
  rule: string
  to: string
  why: 'new' | 'again' | 'escalated' | 'held' | 'summary' | 'test'
  title: string
  body: string
  link: string
  grave: boolean
  count: number
  held: number
  made: string
  acknowledged: string | null
  deliveries: Delivery[]
}

export interface Channel {
  name: string
  kind: 'push' | 'webhook' | 'apprise'
  dead: boolean
  failing: number
  since: string | null
  problem: string
  waiting: number
  oldest: string | null
  sent: number
  failed: number
  summarised: number
}

export interface Hours {
  days: number[]
  from_minute: number
  to_minute: number
}

export interface Rule {
  name: string
  to: string[]
  kinds: string[]
  cameras: string[]
  zones: string[]
  hours: Hours[]
  group: number
  most: number
  per: number
  repeat: number
  escalate: { after: number; to: string[] }[]
  ends: boolean | null
  urgent: boolean
  held: number
}

export interface Telling {
  channels: Channel[]
  rules: Rule[]
  recipients: { name: string; channels: string[]; quiet: Hours[]; user: string }[]
  broker: { connected: boolean; problem: string; since: string | null; published: number; dropped: number } | null
  browsers: number
  address: string
}

/** What became of a message that the broker has to give back. why: null where it did. */
export interface BrokerTrial {
  why: string | null
  detail: string
  took_ms: number
  topic: string
}

export interface OwnPush {
  key: string
  told: boolean
  browsers: { id: number; agent: string; created: string; used: string | null; mark: string }[]
}

export const notify = {
  telling: (): Promise<Telling> => json('GET', address('notify')),
  messages: (cursor?: string): Promise<{ items: Message[]; next: string | null }> => json('GET', address('notifications', { limit: 30, cursor })),
  message: (id: number): Promise<Message> => json('GET', address(`notifications/${id}`)),
  acknowledge: async (id: number): Promise<void> => void (await request('POST', address(`notifications/${id}/acknowledge`))),
  test: (channel: string): Promise<{ message: number }> => json('POST', address(`notify/channels/${channel}/test`)),
  /** By every way to a person, or to whoever else a rule may name. */
  testRecipient: (name: string): Promise<{ message: number }> => json('POST', address(`notify/recipients/${name}/test`)),
  /** It answers once it is over, within some ten seconds. */
  testBroker: async (): Promise<BrokerTrial> => (await (await request('POST', address('notify/broker/test'), undefined, 30_000)).json()) as BrokerTrial,
  retry: async (channel: string): Promise<void> => void (await request('POST', address(`notify/channels/${channel}/retry`))),
  own: (): Promise<OwnPush> => json('GET', address('me/push')),
  add: (subscription: PushSubscriptionJSON): Promise<{ id: number }> =>
    json('POST', address('me/push'), { endpoint: subscription.endpoint, keys: subscription.keys }),
  remove: async (id: number): Promise<void> => void (await request('DELETE', address(`me/push/${id}`))),
  testOwn: (id: number): Promise<{ message: number }> => json('POST', address(`me/push/${id}/test`)),
}
