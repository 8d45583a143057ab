/** Posts in the order in which they need somebody, and what is said of each. No I/O. */

import type { PostItem } from '../api/posts'
import type { IconName } from '../parts/icons'

/** How a post is, as it is shown: each with an icon and a shape of its own, so that colour is never all there is. */
export type Standing = 'connected' | 'trouble' | 'silent' | 'plan' | 'power' | 'hand' | 'revoked' | 'never'

export function standingOf(post: PostItem): Standing {
  if (post.state === 'connected') return needsHelp(post) ? 'trouble' : 'connected'
  if (post.state === 'silent') {
    // What was meant to be silent and should have spoken long since is silent without a good reason.
    const why = post.silence?.overdue && post.silence.state !== 'power' ? 'unknown' : post.silence?.state
    if (why === 'plan' || why === 'power' || why === 'hand') return why
    return 'silent'
  }
  return post.state
}

/** Connected, and yet not as it should be. */
function needsHelp(post: PostItem): boolean {
  return Boolean(post.problems?.length) || (post.recording ?? 0) < (post.cameras ?? 0)
}

export const LOOKS: Record<Standing, { icon: IconName; tone: 'good' | 'bad' | 'calm' }> = {
  connected: { icon: 'check', tone: 'good' },
  trouble: { icon: 'warning', tone: 'bad' },
  silent: { icon: 'unlink', tone: 'bad' },
  plan: { icon: 'moon', tone: 'calm' },
  power: { icon: 'plug', tone: 'bad' },
  hand: { icon: 'hand', tone: 'calm' },
  revoked: { icon: 'stop', tone: 'calm' },
  never: { icon: 'clock', tone: 'calm' },
}

const RANK: Record<Standing, number> = { silent: 0, power: 1, trouble: 2, never: 3, hand: 4, plan: 5, connected: 6, revoked: 7 }

/** What needs a person first; then by name. */
export function byNeed(posts: readonly PostItem[]): PostItem[] {
  return [...posts].sort((a, b) => RANK[standingOf(a)] - RANK[standingOf(b)] || a.name.localeCompare(b.name) || a.id.localeCompare(b.id))
}

/** Those whose name, id or way to here holds every word; and whose standing is the one asked for. */
export function filtered(posts: readonly PostItem[], words: string, standing: string): PostItem[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  return posts.filter((post) => {
    if (standing && !(standing === 'attention' ? LOOKS[standingOf(post)].tone === 'bad' : standingOf(post) === standing)) return false
    const text = `${post.name} ${post.id} ${(post.via ?? []).join(' ')}`.toLowerCase()
    return wanted.every((word) => text.includes(word))
  })
}

/** The list with what changed put in its place. now: of the hub; one that is connected was heard just now, and that is not told anew each time. */
export function merged(before: readonly PostItem[], changed: readonly PostItem[], now: string): PostItem[] {
  const fresh = new Map(changed.map((post) => [post.id, post]))
  const kept = before.map((post) => {
    const found = fresh.get(post.id)
    fresh.delete(post.id)
    return found ?? (post.state === 'connected' ? { ...post, last_contact: now } : post)
  })
  return [...kept, ...fresh.values()]
}

/** At a hub a camera's id is `post.camera`; at a post it has no dot. */
export function postOf(camera: string): string | null {
  const dot = camera.indexOf('.')
  return dot < 0 ? null : camera.slice(0, dot)
}

/** Less than this in use says nothing of what a link can carry. */
const LEAST_TELLING = 16_000

/** What a link can be counted on to carry, in bits a second: its cap, else what goes over it while it is busy; null where that is not known. */
export function speedOf(link: { bits_per_s?: number | null; rate?: number | null } | null | undefined): number | null {
  if (link?.rate) return link.rate
  return link?.bits_per_s && link.bits_per_s >= LEAST_TELLING ? link.bits_per_s : null
}

/** When the link has carried that much, in milliseconds; null where its speed is not known. */
export function timeFor(bytes: number, bitsPerS: number | null | undefined): number | null {
  return bitsPerS ? (bytes * 8_000) / bitsPerS : null
}
