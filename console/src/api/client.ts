/** The post's API over same-origin requests with the login cookie. Every failure is a Problem in words for people. */

import type { Alarm, Camera, GapWire, List, Me, Post, TimelineWire } from './types'

export class Problem extends Error {
  /** status 0: nobody answered. */
  constructor(
    readonly what: string,
    readonly why: string,
    readonly remedy: string,
    readonly status: number,
    readonly retryAfterS: number | null = null,
    /** All that the answer said, for those who know more of it. */
    readonly said: Record<string, unknown> = {},
  ) {
    super(why ? `${what}: ${why}` : what)
  }
}

export type Query = Record<string, string | number | undefined>

export function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value))
  const text = params.toString()
  return `/api/v1/${path}${text ? `?${text}` : ''}`
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

async function problemOf(answer: Response): Promise<Problem> {
  let body: Record<string, unknown> = {}
  try {
    const parsed: unknown = await answer.json()
    if (parsed && typeof parsed === 'object') body = parsed as Record<string, unknown>
  } catch {
    // An answer without JSON (a proxy's page): its status has to do.
  }
  const retry = Number(answer.headers.get('Retry-After'))
  return new Problem(
    text(body.what) || text(body.detail) || `The post answered ${answer.status}`,
    text(body.why),
    text(body.remedy),
    answer.status,
    Number.isFinite(retry) && retry > 0 ? retry : null,
    body,
  )
}

/** What is only read is asked for again. Of an act that was given up nobody knows whether it was done: a busy post gets its time. */
const READ_MS = 20_000
const ACT_MS = 60_000

export async function request(
  method: string,
  url: string,
  body?: unknown,
  timeoutMs = method === 'GET' ? READ_MS : ACT_MS,
  headers: Record<string, string> = {},
): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(url, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined
        ? { headers }
        : body instanceof Blob
        ? { body, headers: { ...headers, 'Content-Type': 'application/octet-stream' } }
        : { body: JSON.stringify(body), headers: { ...headers, 'Content-Type': 'application/json' } }),
    })
  } catch (error) {
    const slow = error instanceof DOMException && error.name === 'TimeoutError'
    throw new Problem(
      'The post does not answer',
      slow ? `no answer within ${timeoutMs / 1000} s` : '',
      'Whether it records cannot be seen from here meanwhile. This page tries again by itself.',
      0,
    )
  }
  if (!answer.ok) throw await problemOf(answer)
  return answer
}

export async function json<T>(method: string, url: string, body?: unknown): Promise<T> {
  return (await (await request(method, url, body)).json()) as T
}

export const api = {
  setup: (): Promise<{ needed: boolean }> => json('GET', address('setup')),
  setUp: (code: string, name: string, password: string): Promise<Me> =>
    json('POST', address('setup'), { code, name, password }),
  login: (name: string, password: string): Promise<Me> => json('POST', address('login'), { name, password }),
  logout: async (): Promise<void> => void (await request('POST', address('logout'))),
  /** What this person chose, under that name; null where nothing is kept. */
  preference: async (name: string): Promise<unknown> => {
    try {
      return await json('GET', address(`me/preferences/${name}`))
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return null
      throw error
    }
  },
  keepPreference: async (name: string, value: unknown): Promise<void> =>
    void (await request('PUT', address(`me/preferences/${name}`), value)),
  post: (): Promise<Post> => json('GET', address('post')),
  me: (): Promise<Me> => json('GET', address('me')),
  /** post: at a hub, those of that post only. */
  cameras: async (post?: string, timeoutMs = 5_000): Promise<{ items: Camera[]; serverMs: number | null }> => {
    const answer = await request('GET', address('cameras', { post }), undefined, timeoutMs)
    const date = Date.parse(answer.headers.get('X-Longwatch-Now') ?? '')
    const list = (await answer.json()) as List<Camera>
    return { items: list.items, serverMs: Number.isNaN(date) ? null : date }
  },
  timeline: (camera: string, fromMs: number, toMs: number): Promise<TimelineWire> =>
    json('GET', address(`cameras/${encodeURIComponent(camera)}/timeline`, { from: stamp(fromMs), to: stamp(toMs) })),
  /** post: at a hub, of its cameras only. */
  gaps: (fromMs: number, toMs: number, post?: string): Promise<List<GapWire>> =>
    json('GET', address('gaps', { from: stamp(fromMs), to: stamp(toMs), limit: 5_000, post: post || undefined })),
  tryNow: async (camera: string): Promise<void> =>
    void (await request('POST', address(`cameras/${encodeURIComponent(camera)}/try-now`))),
  alarms: (): Promise<List<Alarm>> => json('GET', address('alarms', { limit: 200 })),
  acknowledge: async (id: number, reason: string): Promise<void> =>
    void (await request('POST', address(`alarms/${id}/acknowledge`), { reason })),
  /** forS: null until somebody resumes it. privacy: the camera's session ends too, so that nothing of it is seen. */
  pause: async (camera: string, reason: string, forS: number | null, privacy: boolean): Promise<void> =>
    void (await request('POST', address(`cameras/${encodeURIComponent(camera)}/pause`), { reason, for_s: forS, privacy })),
  resume: async (camera: string): Promise<void> =>
    void (await request('POST', address(`cameras/${encodeURIComponent(camera)}/resume`), { reason: null })),
}

/** RFC 3339 in UTC, to the millisecond. */
export function stamp(ms: number): string {
  return new Date(ms).toISOString()
}

export function videoUrl(camera: string, fromMs: number, toMs: number): string {
  return address(`cameras/${encodeURIComponent(camera)}/video.mp4`, { from: stamp(fromMs), to: stamp(toMs) })
}

export function stillUrl(camera: string, atMs?: number): string {
  return address(`cameras/${encodeURIComponent(camera)}/still.jpg`, { at: atMs === undefined ? undefined : stamp(atMs) })
}
