/** A camera's address as a person types it: with or without scheme, login, port and path. */

import type { Login } from '../api/settings'

export interface Address {
  scheme: 'rtsp' | 'rtsps'
  host: string
  /** With its colon; '' for the usual one. */
  port: string
  /** With its slash and query; '' where none was typed. */
  path: string
  user: string
  password: string
}

const FORM = /^(?:(rtsps?):\/\/)?(?:([^/@]*?)(?::([^/]*))?@)?(\[[0-9a-f:.%a-z]+\]|[\w.-]+)(:\d{1,5})?([/?].*)?$/i

/** Null where it is no address. */
export function parse(typed: string): Address | null {
  const text = typed.trim()
  const match = FORM.exec(text)
  if (!match?.[4]) return null
  return {
    scheme: match[1]?.toLowerCase() === 'rtsps' ? 'rtsps' : 'rtsp',
    host: match[4],
    port: match[5] ?? '',
    path: match[6] ?? '',
    user: decoded(match[2] ?? ''),
    password: decoded(match[3] ?? ''),
  }
}

/** The URL, without a login. */
export function url(address: Address, path = address.path): string {
  return `${address.scheme}://${address.host}${address.port}${path}`
}

/** A second stream as it was typed: a path of the same camera, or a whole address. */
export function second(typed: string, main: Address): string | null {
  const text = typed.trim()
  if (!text) return null
  if (text.startsWith('/')) return url(main, text)
  const other = parse(text)
  return other ? url(other) : null
}

/** An id of the settings from a name for people: `a-z`, `0-9` and `-`, at most 40, and none of those that are taken. */
export function slug(name: string, taken: readonly string[]): string {
  const plain = name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 36)
    .replace(/-+$/, '')
  const base = plain || 'camera'
  let made = base
  for (let n = 2; taken.includes(made); n += 1) made = `${base}-${n}`
  return made
}

/** For a probe or a save; null where nothing was typed. */
export function login(user: string, password: string): Login | null {
  return user || password ? { user, password: password || null } : null
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
