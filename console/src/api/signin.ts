/** Ways to sign in beside name and password. */

import { address, json } from './client'
import type { Me } from './types'

export interface PasskeyOffer {
  offered: boolean
  /** Why not: this address is no name, or the connection is not encrypted. */
  why: '' | 'address' | 'insecure'
  /** The name that passkeys are bound to, where there is one. */
  host: string
}

export interface Ways {
  passkey: PasskeyOffer
  /** What the button of the provider of identities says; null where there is none. */
  provider: string | null
}

/** What a device is asked; `id` goes back with its answer. */
export interface Asked {
  id: string
  publicKey: Record<string, unknown>
}

export const signin = {
  ways: (): Promise<Ways> => json('GET', address('login/ways')),
  askPasskey: (): Promise<Asked> => json('POST', address('login/passkey/options')),
  passkey: (id: string, credential: unknown): Promise<Me> => json('POST', address('login/passkey'), { id, credential }),
  code: (code: string, password: string): Promise<Me> => json('POST', address('login/code'), { code, password }),
  /** Where the browser goes to sign in by the provider. */
  provider: (): Promise<{ address: string }> => json('POST', address('login/oidc')),
}
