/** What stands between the API and `navigator.credentials`: the browser wants bytes, the post writes them as base64url. */

type Json = Record<string, unknown>

/** Whether this browser knows passkeys at all; a page that is not secure has none. */
export function knowsPasskeys(): boolean {
  return window.isSecureContext && 'PublicKeyCredential' in window
}

/** Whether it offers them among the names it would fill in. */
export async function offersQuietly(): Promise<boolean> {
  if (!knowsPasskeys() || !('isConditionalMediationAvailable' in PublicKeyCredential)) return false
  return PublicKeyCredential.isConditionalMediationAvailable()
}

function bytes(text: unknown): ArrayBuffer {
  const plain = atob(String(text).replace(/-/g, '+').replace(/_/g, '/'))
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0)).buffer
}

function text(buffer: ArrayBuffer | null | undefined): string | undefined {
  if (!buffer) return undefined
  let plain = ''
  for (const byte of new Uint8Array(buffer)) plain += String.fromCharCode(byte)
  return btoa(plain).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
}

function described(list: unknown): PublicKeyCredentialDescriptor[] {
  return Array.isArray(list) ? list.map((one: Json) => ({ ...one, id: bytes(one.id) }) as PublicKeyCredentialDescriptor) : []
}

/** Ask for a passkey. quietly: only where somebody picks it among the names that are filled in. Null where nobody did. */
export async function askFor(options: Json, quietly: boolean, signal: AbortSignal): Promise<unknown> {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: described(options.allowCredentials),
  } as PublicKeyCredentialRequestOptions
  const found = await navigator.credentials.get({ publicKey, signal, ...(quietly ? { mediation: 'conditional' as const } : {}) })
  if (!(found instanceof PublicKeyCredential)) return null
  const response = found.response as AuthenticatorAssertionResponse
  return {
    id: found.id,
    rawId: text(found.rawId),
    type: found.type,
    clientExtensionResults: found.getClientExtensionResults(),
    response: {
      clientDataJSON: text(response.clientDataJSON),
      authenticatorData: text(response.authenticatorData),
      signature: text(response.signature),
      userHandle: text(response.userHandle),
    },
  }
}

/** Have a passkey made. Null where nobody did. */
export async function make(options: Json): Promise<unknown> {
  const user = options.user as Json
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...user, id: bytes(user.id) },
    excludeCredentials: described(options.excludeCredentials),
  } as unknown as PublicKeyCredentialCreationOptions
  const made = await navigator.credentials.create({ publicKey })
  if (!(made instanceof PublicKeyCredential)) return null
  const response = made.response as AuthenticatorAttestationResponse
  return {
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    clientExtensionResults: made.getClientExtensionResults(),
    response: {
      clientDataJSON: text(response.clientDataJSON),
      attestationObject: text(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  }
}

/** Whether somebody said no, or let it pass: no error to be shown as one. */
export function declined(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError')
}
