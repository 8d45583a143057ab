/** Users, tokens, one's own account, and the audit. */

import { address, json, request, stamp } from './client'
import type { Asked, PasskeyOffer } from './signin'

export const ROLES = ['viewer', 'operator', 'inspector', 'admin'] as const
export type RoleName = (typeof ROLES)[number]

export interface User {
  subject: number
  name: string
  role: RoleName
  /** The only ones allowed; null: all. */
  cameras: string[] | null
  disabled: boolean
  created: string
  has_password: boolean
  passkey_only: boolean
  passkeys: number
  issuers: string[]
  sessions: number
  /** Until when a one-time code waits for its user. */
  code_until: string | null
}

export interface Token {
  subject: number
  name: string
  role: RoleName
  cameras: string[] | null
  created: string
  expires: string | null
}

/** Said once. */
export interface Code {
  subject: number
  code: string
  until: string
}

export interface Rights {
  role: RoleName
  cameras: string[] | null
}

export interface OwnPasskey {
  id: number
  name: string
  host: string
  here: boolean
  synced: boolean
  created: string
  used: string | null
}

export interface OwnWays {
  has_password: boolean
  passkey_only: boolean
  passkeys: OwnPasskey[]
  identities: { id: number; issuer: string; provisioned: boolean; created: string }[]
  passkey: PasskeyOffer
  provider: string | null
}

export interface OwnSession {
  id: string
  here: boolean
  created: string
  seen: string
  expires: string
  by: string
  address: string
  agent: string
}

/** An entry about a person. person: what may be erased; null where it was. */
export interface Mention {
  seq: number
  at: string
  kind: string
  camera: string | null
  subject: number
  person: { user?: string; token?: string; address?: string; agent?: string; reason?: string } | null
  erased: boolean
  body: Record<string, unknown>
}

export interface Audit {
  items: Mention[]
  /** all, rights (of viewing only one's own) or own. */
  scope: 'all' | 'rights' | 'own'
  next: string | null
}

export interface AuditQuestion {
  fromMs: number
  toMs: number
  camera: string | undefined
  kinds: readonly string[]
  subject: number | undefined
  cursor: string | undefined
}

const user = (subject: number, what: string): string => address(`users/${subject}/${what}`)

export const people = {
  users: async (): Promise<User[]> => (await json<{ items: User[] }>('GET', address('users'))).items,
  add: (name: string, rights: Rights, reason: string): Promise<Code> => json('POST', address('users'), { name, ...rights, reason }),
  setRights: async (subject: number, rights: Rights, reason: string): Promise<void> =>
    void (await request('PUT', user(subject, 'rights'), { ...rights, reason })),
  setDisabled: async (subject: number, disabled: boolean, reason: string): Promise<void> =>
    void (await request('PUT', user(subject, 'disabled'), { disabled, reason })),
  reset: (subject: number, reason: string): Promise<Code> => json('POST', user(subject, 'reset'), { reason }),
  signOut: async (subject: number, reason: string): Promise<void> => void (await request('POST', user(subject, 'sign-out'), { reason })),
  remove: async (subject: number, reason: string): Promise<void> => void (await request('POST', user(subject, 'remove'), { reason })),
  tokens: async (): Promise<Token[]> => (await json<{ items: Token[] }>('GET', address('tokens'))).items,
  addToken: (name: string, rights: Rights, days: number | null, reason: string): Promise<{ token: string }> =>
    json('POST', address('tokens'), { name, ...rights, days, reason }),
  removeToken: async (subject: number, reason: string): Promise<void> =>
    void (await request('POST', address(`tokens/${subject}/remove`), { reason })),
  audit: (asked: AuditQuestion): Promise<Audit> => {
    const kinds = asked.kinds.map((kind) => `&kind=${encodeURIComponent(kind)}`).join('')
    const query = { from: stamp(asked.fromMs), to: stamp(asked.toMs), camera: asked.camera, subject: asked.subject, cursor: asked.cursor, newest: 'true', limit: 100 }
    return json('GET', address('audit', query) + kinds)
  },
  erase: (subject: number, reason: string): Promise<{ entries: number; gone_from_file: boolean; left_behind: string[] }> =>
    json('POST', address('audit/erase'), { subject, reason }),
}

export const own = {
  ways: (): Promise<OwnWays> => json('GET', address('me/ways')),
  setPassword: async (old: string, wanted: string): Promise<void> =>
    void (await request('POST', address('me/password'), { old, new: wanted })),
  askPasskey: (password: string): Promise<Asked> => json('POST', address('me/passkeys/options'), { password }),
  addPasskey: (id: string, credential: unknown, name: string): Promise<OwnPasskey> =>
    json('POST', address('me/passkeys'), { id, credential, name }),
  removePasskey: async (id: number): Promise<void> => void (await request('DELETE', address(`me/passkeys/${id}`))),
  setPasskeyOnly: async (only: boolean): Promise<void> => void (await request('PUT', address('me/passkey-only'), { only })),
  linkIdentity: (): Promise<{ address: string }> => json('POST', address('me/identities')),
  removeIdentity: async (id: number): Promise<void> => void (await request('DELETE', address(`me/identities/${id}`))),
  sessions: async (): Promise<OwnSession[]> => (await json<{ items: OwnSession[] }>('GET', address('me/sessions'))).items,
  endSession: async (id: string): Promise<void> => void (await request('DELETE', address(`me/sessions/${id}`))),
  signOut: async (keepThis: boolean): Promise<void> => void (await request('POST', address('me/sign-out'), { keep_this: keepThis })),
}
